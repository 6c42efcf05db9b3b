"""The description of the server for programs: an OpenAPI 3.1 document."""

from typing import Any

from bench._version import __version__
from bench.serving.answering import ANSWER, Service
from bench.serving.limits import Limits

MEDIA_TYPES = ("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "application/octet-stream")
"""Media types of audio files in the document; a server takes others of ``audio/`` and ``video/`` too."""

RAW_TYPES = {
    "audio/L16;rate=16000": "16-bit samples, the high byte first (RFC 2586) unless endianness=little-endian",
    "audio/x-raw;format=F32LE;rate=16000": "32-bit float samples in [-1, 1], the low byte first; or S16LE",
}

REFUSALS = {
    "400": "The body is empty or no form, or the Host header is no name of this server.",
    "403": "Another web page asked.",
    "408": "The body took too long.",
    "413": "The body or the recording is too large.",
    "415": "The media type is not audio, or needs a decoder that the server lacks.",
    "422": "The recording cannot be read or is too short, or the query asks for what there is not.",
    "429": "Too many requests wait; Retry-After says in how many seconds to send it again.",
    "500": "A fault of the server.",
    "503": "The server lacks what was asked for, or too many connections are open.",
}


def document(service: Service, limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document of a server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "audio-embedding-bench",
            "version": __version__,
            "description": f"A model's answers about recordings of up to {limits.seconds:g} s "
            f"and {limits.megabytes:g} MB.",
        },
        "paths": {
            "/predict": {"post": _predict(service)},
            "/health": {
                "get": _get("State of the server", "health", {"type": "object", "required": ["status"]})
            },
            "/model": {"get": _get("Facts of the model", "model", {"type": "object"})},
            "/openapi.json": {"get": _get("This document", "openapi", {"type": "object"})},
        },
        "components": {"schemas": {**service.schemas, "Error": _error()}},
    }


def _get(summary: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "operationId": name,
        "responses": {"200": {"description": summary, "content": {"application/json": {"schema": schema}}}},
    }


def _predict(service: Service) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary", "description": "An audio file."}},
    }
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    content |= {name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES}
    content |= {
        name: {"schema": {"type": "string", "format": "binary", "description": about}}
        for name, about in RAW_TYPES.items()
    }
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answer = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ANSWER}"}}}
    return {
        "summary": "Ask the model about a recording",
        "operationId": "predict",
        "parameters": _parameters(service),
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "The answer", "content": answer}}
        | {status: {"description": about, "content": error} for status, about in REFUSALS.items()},
    }


def _parameters(service: Service) -> list[dict[str, Any]]:
    texts = {
        "segments": ({"type": "string", "pattern": r"^[0-9.]+(:[0-9.]+)?$"}, "Windows as LENGTH:HOP in s."),
        "top": (
            {"type": "integer", "minimum": 1},
            "Number of classes in the answer, the most probable first.",
        ),
        "transcribe": (
            {"type": "boolean", "default": service.transcriber is not None},
            f"Whether to transcribe, by {service.transcriber}."
            if service.transcriber
            else "No transcriber here.",
        ),
    }
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": about}
        for name, (schema, about) in texts.items()
    ]


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string", "description": "What, expected, how to fix: one line."}},
    }
