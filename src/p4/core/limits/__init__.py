"""Every number the protocol and the node live by, with its unit and its reason.

First what spec/ fixes (both sides depend on it), then what this implementation chose; one module a subject.
"""

# ruff: noqa: F403 - one name for all numbers, wherever they stand

from p4.core.limits.chat import *
from p4.core.limits.client import *
from p4.core.limits.daemon import *
from p4.core.limits.files import *
from p4.core.limits.gate import *
from p4.core.limits.lifecycle import *
from p4.core.limits.link_history import *
from p4.core.limits.links import *
from p4.core.limits.nearby import *
from p4.core.limits.pairing import *
from p4.core.limits.relation import *
from p4.core.limits.signaling import *
from p4.core.limits.specification import *
from p4.core.limits.tunnels import *
