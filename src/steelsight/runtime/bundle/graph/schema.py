"""The parts of onnx.proto that exports use, as schemas.

What exports do not use is refused with its reason. What no engine needs (documentation, names of tools,
shapes of intermediate values) is read past and never passed on.
"""

from __future__ import annotations

from typing import Final

from steelsight.runtime.bundle.graph.wire import Field, Schema

__all__ = ["MODEL"]

_FUNCTIONS: Final = "local functions are never run"
_SUBGRAPHS: Final = "subgraphs are never run"
_SPARSE: Final = "sparse tensors are not used by any export"
_OUTSIDE: Final = "weights in other files are never read"
_UNUSED: Final = "it uses what no export needs"


def _passed_over(name: str, *, many: bool = False) -> Field:
    return Field(name, "bytes", many, keep=False)


_OPSET: Final = Schema("OperatorSetId", {1: Field("domain", "text"), 2: Field("version", "int")}, {})

_TENSOR: Final = Schema(
    "Tensor",
    {
        1: Field("dims", "int", many=True),
        2: Field("data_type", "int"),
        4: Field("float_data", "float", many=True),
        5: Field("int32_data", "int", many=True),
        7: Field("int64_data", "int", many=True),
        8: Field("name", "text"),
        9: Field("raw_data", "bytes"),
        12: _passed_over("doc_string"),
        14: Field("data_location", "int"),
        16: _passed_over("metadata_props", many=True),
    },
    {3: _UNUSED, 6: _UNUSED, 10: _UNUSED, 11: _UNUSED, 13: _OUTSIDE},
)

_ATTRIBUTE: Final = Schema(
    "Attribute",
    {
        1: Field("name", "text"),
        2: Field("f", "float"),
        3: Field("i", "int"),
        4: Field("s", "bytes"),
        5: Field("t", _TENSOR),
        7: Field("floats", "float", many=True),
        8: Field("ints", "int", many=True),
        13: _passed_over("doc_string"),
        20: Field("type", "int"),
    },
    {6: _SUBGRAPHS, 11: _SUBGRAPHS, 22: _SPARSE, 23: _SPARSE, 21: _FUNCTIONS}
    | dict.fromkeys((9, 10, 14, 15), _UNUSED),
)

_NODE: Final = Schema(
    "Node",
    {
        1: Field("input", "text", many=True),
        2: Field("output", "text", many=True),
        3: Field("name", "text"),
        4: Field("op_type", "text"),
        5: Field("attribute", _ATTRIBUTE, many=True),
        6: _passed_over("doc_string"),
        7: Field("domain", "text"),
        9: _passed_over("metadata_props", many=True),
    },
    {8: _FUNCTIONS, 10: _UNUSED},
)

_DIMENSION: Final = Schema(
    "Dimension",
    {1: Field("dim_value", "int"), 2: Field("dim_param", "text"), 3: _passed_over("denotation")},
    {},
)
_SHAPE: Final = Schema("Shape", {1: Field("dim", _DIMENSION, many=True)}, {})
_TENSOR_TYPE: Final = Schema("TensorType", {1: Field("elem_type", "int"), 2: Field("shape", _SHAPE)}, {})
_TYPE: Final = Schema(
    "Type",
    {1: Field("tensor_type", _TENSOR_TYPE), 6: _passed_over("denotation")},
    dict.fromkeys((4, 5, 7, 8, 9), _UNUSED),
)
_PORT: Final = Schema(
    "Port",
    {
        1: Field("name", "text"),
        2: Field("type", _TYPE),
        3: _passed_over("doc_string"),
        4: _passed_over("metadata_props", many=True),
    },
    {},
)

_GRAPH: Final = Schema(
    "Graph",
    {
        1: Field("node", _NODE, many=True),
        2: Field("name", "text"),
        5: Field("initializer", _TENSOR, many=True),
        10: _passed_over("doc_string"),
        11: Field("input", _PORT, many=True),
        12: Field("output", _PORT, many=True),
        13: _passed_over("value_info", many=True),
        14: _passed_over("quantization_annotation", many=True),
        16: _passed_over("metadata_props", many=True),
    },
    {15: _SPARSE},
)

MODEL: Final = Schema(
    "Model",
    {
        1: Field("ir_version", "int"),
        2: _passed_over("producer_name"),
        3: _passed_over("producer_version"),
        4: _passed_over("domain"),
        5: Field("model_version", "int", keep=False),
        6: _passed_over("doc_string"),
        7: Field("graph", _GRAPH),
        8: Field("opset_import", _OPSET, many=True),
        14: _passed_over("metadata_props", many=True),
    },
    {20: _UNUSED, 25: _FUNCTIONS, 26: _UNUSED},
)
