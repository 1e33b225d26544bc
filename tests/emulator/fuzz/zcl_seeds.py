"""Valid ZCL frames: reads, writes, reports, reporting configuration, discovery, cluster commands."""

from __future__ import annotations

ZCL_SEEDS = tuple(
    bytes.fromhex(text)
    for text in (
        "10010a000029010002004212736f6d6520746578742c20616e64206d6f7265",
        "1802010000002001050042034142430a002301020304",
        "080101000086",
        "050b1001070042080102030405060708",
        "1803010100004c02004102aabb21010203004801000020010220033021",
        "100a0a010048200300010203020050210300040005000600",
    )
)
