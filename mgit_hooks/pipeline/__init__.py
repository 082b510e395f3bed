"""The changeset pipeline: compression, validation, recovery, monitoring and optimization, each usable alone.

Names are loaded when they are asked for: who compresses needs no validator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgit_hooks.pipeline.compression import (
        CompressionMethod,
        CompressionResult,
        DataCompressor,
        FileCompressor,
    )
    from mgit_hooks.pipeline.monitoring import (
        MetricType,
        OperationMetrics,
        PipelineMetric,
        PipelineMonitor,
        monitor_pipeline_operation,
    )
    from mgit_hooks.pipeline.optimization import (
        OptimizationStrategy,
        PerformanceProfile,
        PipelineOptimizer,
        ResourceLimits,
    )
    from mgit_hooks.pipeline.recovery import (
        ChangesetRecoveryManager,
        RecoveryAction,
        RecoveryResult,
        RecoveryStrategy,
        recover_changeset_operation,
        recover_storage_operation,
    )
    from mgit_hooks.pipeline.validation import (
        ChangesetValidator,
        ValidationIssue,
        ValidationLevel,
        ValidationResult,
        ValidationSeverity,
        validate_changeset,
        validate_collection,
    )

_MODULES = {
    "ChangesetRecoveryManager": "recovery",
    "ChangesetValidator": "validation",
    "CompressionMethod": "compression",
    "CompressionResult": "compression",
    "DataCompressor": "compression",
    "FileCompressor": "compression",
    "MetricType": "monitoring",
    "OperationMetrics": "monitoring",
    "PipelineMetric": "monitoring",
    "PipelineMonitor": "monitoring",
    "OptimizationStrategy": "optimization",
    "PerformanceProfile": "optimization",
    "PipelineOptimizer": "optimization",
    "ResourceLimits": "optimization",
    "RecoveryAction": "recovery",
    "RecoveryResult": "recovery",
    "RecoveryStrategy": "recovery",
    "ValidationIssue": "validation",
    "ValidationLevel": "validation",
    "ValidationResult": "validation",
    "ValidationSeverity": "validation",
    "monitor_pipeline_operation": "monitoring",
    "recover_changeset_operation": "recovery",
    "recover_storage_operation": "recovery",
    "validate_changeset": "validation",
    "validate_collection": "validation",
}
__all__ = [
    "ChangesetRecoveryManager",
    "ChangesetValidator",
    "CompressionMethod",
    "CompressionResult",
    "DataCompressor",
    "FileCompressor",
    "MetricType",
    "OperationMetrics",
    "OptimizationStrategy",
    "PerformanceProfile",
    "PipelineMetric",
    "PipelineMonitor",
    "PipelineOptimizer",
    "RecoveryAction",
    "RecoveryResult",
    "RecoveryStrategy",
    "ResourceLimits",
    "ValidationIssue",
    "ValidationLevel",
    "ValidationResult",
    "ValidationSeverity",
    "monitor_pipeline_operation",
    "recover_changeset_operation",
    "recover_storage_operation",
    "validate_changeset",
    "validate_collection",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
