"""A collector of traces: decodes what a program sends by OTLP over HTTP, with OpenTelemetry's own package.

Prints its URL, and appends a line of JSON to the file of its only argument for each request: its headers and its spans.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATH = "/v1/traces"


def attributes(pairs):
    """Attributes by name; a name that occurs twice is a mistake of the program."""
    read = {}
    for pair in pairs:
        if pair.key in read:
            raise ValueError(f"the attribute {pair.key} occurs twice")
        read[pair.key] = getattr(pair.value, pair.value.WhichOneof("value"))
    return read


def spans(request):
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if len(span.trace_id) != 16 or len(span.span_id) != 8:
                    raise ValueError("an id has the wrong length")
                if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
                    raise ValueError("a span ends before it begins")
                yield {
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "status": Status.StatusCode.Name(span.status.code),
                    "attributes": attributes(span.attributes),
                    "resource": resource,
                    # All that was received, so that nothing is overlooked.
                    "text": str(span),
                    "events": len(span.events),
                    "links": len(span.links),
                }


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            if self.path != PATH or self.headers["content-type"] != "application/x-protobuf":
                raise ValueError(f"{self.path}, {self.headers['content-type']}")
            request = ExportTraceServiceRequest.FromString(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            line = json.dumps({"headers": headers, "spans": list(spans(request))})
        except Exception as problem:  # The test reads it.
            line = json.dumps({"problem": str(problem)})
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write(line + "\n")
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    print(f"listening at http://127.0.0.1:{server.server_port}{PATH}", flush=True)
    server.serve_forever()
