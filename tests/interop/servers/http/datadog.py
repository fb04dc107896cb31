"""What Datadog's own client is answered for entries, too many of them, and a wrong key."""
import os
import sys

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem


def answer(key, count, size=1, **options):
    configuration = Configuration(api_key={"apiKeyAuth": key})
    configuration.server_operation_index["submit_log"] = 1
    configuration.server_operation_variables["submit_log"] = {"protocol": "http", "name": os.environ["HOST"]}
    entry = {"ddsource": "python", "ddtags": "env:test,team:pay", "hostname": "h", "service": "shop"}
    body = HTTPLog([HTTPLogItem(message=f"{number}" + "x" * size, status="warning", **entry) for number in range(count)])
    with ApiClient(configuration) as client:
        try:
            LogsApi(client).submit_log(body=body, **options)
            return "accepted"
        except ApiException as error:
            return error.status


key = os.environ["KEY"]
got = [
    answer(key, 2),
    answer(key, 1_000, content_encoding=ContentEncoding.GZIP),
    answer(key, 1_001),
    answer(key, 1, 1_000_000),
    answer(key, 60, 100_000, content_encoding=ContentEncoding.GZIP),
    answer("wrong", 1),
]
sys.exit(None if got == ["accepted", "accepted", 413, 413, 413, 403] else f"answered {got}")
