"""Parallel blocks of a program (`Blocks`): who computes them, whose storage each uses, whose failure is the call's.

Contract  `each_part`, `take_slot`, `leave_slot`, `report`; `codegen.host.blocks` says what an environment is.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts

DECLARATION = "declare i64 @llvm.cttz.i64(i64, i1)\n"

# The threads of the pool take the parts, one alone where there is no pool or one part.  A slot is the first that is
# free.  The first part that fails copies its record to the call's frame.
_TEXT = """
define void @each_part(ptr %rt, ptr %part, ptr %env, i64 %count) nounwind {
entry:
  %pool.at = getelementptr i8, ptr %rt, i64 THREADS
  %pool = load ptr, ptr %pool.at
  %none = icmp eq ptr %pool, null
  %single = icmp sle i64 %count, 1
  %alone = or i1 %none, %single
  br i1 %alone, label %turn, label %share
share:
  %parallel.at = getelementptr i8, ptr %pool, i64 PARALLEL_FOR
  %parallel = load ptr, ptr %parallel.at
  call void %parallel(ptr %pool, ptr %part, ptr %env, i64 %count)
  ret void
turn:
  %k = phi i64 [0, %entry], [%next, %turn]
  call void %part(ptr %env, i64 %k)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %turn, label %done
done:
  ret void
}

define i64 @take_slot(ptr %env) nounwind {
entry:
  %at = getelementptr i8, ptr %env, i64 SLOTS
  br label %look
look:
  %taken = load atomic i64, ptr %at seq_cst, align 8
  %free = xor i64 %taken, -1
  %full = icmp eq i64 %free, 0
  br i1 %full, label %look, label %take
take:
  %slot = call i64 @llvm.cttz.i64(i64 %free, i1 true)
  %bit = shl i64 1, %slot
  %before = atomicrmw or ptr %at, i64 %bit seq_cst
  %theirs = and i64 %before, %bit
  %is_ours = icmp eq i64 %theirs, 0
  br i1 %is_ours, label %done, label %look
done:
  ret i64 %slot
}

define void @leave_slot(ptr %env, i64 %slot) nounwind {
  %at = getelementptr i8, ptr %env, i64 SLOTS
  %bit = shl i64 1, %slot
  %others = xor i64 %bit, -1
  %before = atomicrmw and ptr %at, i64 %others seq_cst
  ret void
}

define void @report(ptr %env, ptr %frame) nounwind {
  %swap = cmpxchg ptr %env, i64 0, i64 1 seq_cst seq_cst
  %is_first = extractvalue {i64, i1} %swap, 1
  br i1 %is_first, label %copy, label %done
copy:
  %to.at = getelementptr i8, ptr %env, i64 FRAME
  %to = load ptr, ptr %to.at
  %record = load [WORDS x i64], ptr %frame
  store [WORDS x i64] %record, ptr %to
  br label %done
done:
  ret void
}
"""


def parts_text() -> str:
    assert layouts.ENV_FAILED == 0
    text = _TEXT
    numbers = {
        "PARALLEL_FOR": layouts.TH["parallel_for"], "THREADS": layouts.RT["threads"], "SLOTS": layouts.ENV_SLOTS,
        "FRAME": layouts.ENV_FRAME, "WORDS": layouts.RECORD_SIZE // 8,
    }  # fmt: skip
    for name, number in numbers.items():
        text = text.replace(name, str(number))
    return text
