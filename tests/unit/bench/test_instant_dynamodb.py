"""What the instant DynamoDB answers."""

import json
from collections.abc import Mapping

from bench.instant_dynamodb import Items, answer

ITEMS = {"keys": {"k1": {"id": {"S": "k1"}, "st": {"S": "active"}}}}


def reply_to(request: Mapping[str, object], items: Items = ITEMS) -> object:
    head, _, body = answer(b"/", json.dumps(request).encode(), items).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    return json.loads(body)


def test_an_update_that_asks_for_the_item_gets_it_as_it_was_recorded():
    request = {"TableName": "keys", "Key": {"id": {"S": "k1"}}, "ReturnValues": "ALL_NEW"}
    assert reply_to(request) == {"Attributes": ITEMS["keys"]["k1"]}


def test_a_write_that_asks_for_nothing_gets_nothing():
    assert reply_to({"TableName": "ledger", "Item": {"tenant": {"S": "t"}}}) == {}


def test_several_items_are_got_by_their_keys_and_a_query_finds_the_whole_table():
    item = {"webhook": {"S": "w"}, "item": {"S": "D#1"}, "n": {"N": "0"}}
    stored = {"deliveries": {"D#1\0w": item}}
    asked = {"deliveries": {"Keys": [{"webhook": {"S": "w"}, "item": {"S": "D#1"}}]}}
    assert reply_to({"RequestItems": asked}, stored) == {"Responses": {"deliveries": [item]}}
    query = {"TableName": "deliveries", "KeyConditionExpression": "webhook = :w"}
    assert reply_to(query, stored) == {"Items": [item]}
