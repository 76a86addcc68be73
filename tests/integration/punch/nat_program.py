"""What `probe_nat` finds in this computer's network, as JSON on stdout."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

from p4.adapters.net.stun.nat import probe_nat


async def main() -> None:
    finding = await probe_nat(sys.argv[1:], timeout=0.7)
    print(json.dumps({**dataclasses.asdict(finding), "sentence": finding.sentence}))


if __name__ == "__main__":
    asyncio.run(main())
