"""What each kind of step can be told. The spec uses the same classes, so a field is declared and documented once."""

from hub_steps.parameters.data import DatasetParameters, FetchParameters, GitTaxonomy, MixParameters
from hub_steps.parameters.declared import Declared, RepositoryPath, SecretReference
from hub_steps.parameters.evaluate import EvaluateParameters, Gate, GateParameters, Suite
from hub_steps.parameters.generate import Filters, GenerateParameters
from hub_steps.parameters.publish import PublishParameters
from hub_steps.parameters.served import served_model
from hub_steps.parameters.teacher import Endpoint, Judge, ServedModel, Teacher
from hub_steps.parameters.tracking import Tracking
from hub_steps.parameters.train import TrainParameters, TrainStepParameters

__all__ = [
    "DatasetParameters",
    "Declared",
    "Endpoint",
    "EvaluateParameters",
    "FetchParameters",
    "Filters",
    "Gate",
    "GateParameters",
    "GenerateParameters",
    "GitTaxonomy",
    "Judge",
    "MixParameters",
    "PublishParameters",
    "RepositoryPath",
    "SecretReference",
    "ServedModel",
    "Suite",
    "Teacher",
    "Tracking",
    "TrainParameters",
    "TrainStepParameters",
    "served_model",
]
