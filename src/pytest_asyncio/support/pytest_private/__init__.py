"""Every use of pytest's private API, each with its reason, so that a new pytest breaks one place.

Works with pytest 8.4 and newer. What synchronous tests have no need of is imported from its own
file. The one use that is elsewhere, in `modules`, has to come before the import of any other
module.
"""

from .collection import *  # noqa: F403
from .fixture_values import *  # noqa: F403
from .outcomes import *  # noqa: F403
from .requests import *  # noqa: F403
