"""The compiler: tensor IR, passes, fusion groups, program IR and the code emitters."""

if __name__ == "codegen":
    raise ImportError("import tensordsl.codegen, not codegen")
