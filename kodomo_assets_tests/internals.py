"""What a test needs of Dagster's private names: how its daemon shows a look that failed, for which it has no public call."""

from dagster._core.errors import SensorExecutionError, user_code_error_boundary
from dagster._utils.error import serializable_error_info_from_exc_info

__all__ = ["SensorExecutionError", "serializable_error_info_from_exc_info", "user_code_error_boundary"]
