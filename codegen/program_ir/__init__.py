"""codegen/program_ir"""
