"""What Schemathesis cannot know from the OpenAPI document: how to log in, and rules that depend on stored data."""

import datetime
import functools
import itertools
import re
import uuid

import requests
import schemathesis

PASSWORD = "correct horse battery staple"


class Shop:
    """A tenant with products, and its owner."""

    def __init__(self, base_url):
        self.base_url = base_url.rstrip("/")
        slug = f"t-{uuid.uuid4().hex[:20]}"
        owner = {"email": f"owner@{slug}.example", "password": PASSWORD}
        self.owner_id = self.post("/v1/tenants", {"slug": slug, "name": slug, "owner": owner})["owner"]["id"]
        self.owner = {"tenant": slug, **owner}
        self.token = self.post("/v1/auth/login", self.owner)["access_token"]
        self.products = [self.add_product(number) for number in range(3)]

    def post(self, path, body):
        headers = {"Authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {}
        response = requests.post(self.base_url + path, json=body, headers=headers)
        response.raise_for_status()
        return response.json()

    def add_product(self, number):
        product = {"sku": f"MUG-{number}", "name": "Mug", "price_minor": 1250, "currency": "USD", "stock": 10**8}
        return self.post("/v1/products", product)["id"]


@functools.cache
def shop(base_url):
    return Shop(base_url)


@schemathesis.auth()
class Owner:
    """Logs every case in as the owner of the shop."""

    def get(self, case, context):
        return shop(base_url(case)).token

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes valid requests respect the rules that depend on stored data. Other requests stay as they are."""
    operation, body = case.operation.label, case.body
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        # A key that was used for another request is rejected.
        case.headers["Idempotency-Key"] = key[:-36] + str(uuid.uuid4())
    if operation == "POST /v1/auth/login" and is_login(body) and next(LOGINS) % 2 == 0:
        case.body = shop(base_url(case)).owner
    if operation == "POST /v1/orders" and is_order(body):
        products = shop(base_url(case)).products
        for number, item in enumerate(body["items"]):
            item["product_id"] = products[number % len(products)]
            item["quantity"] = 1 + item["quantity"] % 100
    if operation in {"PATCH /v1/users/{id}", "DELETE /v1/users/{id}"} and case.path_parameters.get("id") == shop(base_url(case)).owner_id:
        # Once another owner was added, the caller of all cases could be demoted or deactivated.
        case.path_parameters["id"] = str(uuid.uuid4())
    if operation == "GET /v1/reports/revenue":
        case.query = ordered(case.query)


LOGINS = itertools.count()


def base_url(case):
    return case.operation.schema.get_base_url()


def is_login(body):
    fields = {"tenant", "email", "password"}
    return isinstance(body, dict) and body.keys() == fields and all(isinstance(body[field], str) for field in fields)


def is_order(body):
    """Whether every item of the order has a product and a quantity."""
    items = body.get("items") if isinstance(body, dict) else None
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and is_uuid(item.get("product_id"))
        and is_quantity(item.get("quantity"))
        for item in items
    )


def is_quantity(number):
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return is_number and number == int(number) and 1 <= number <= 10**6


def is_uuid(text):
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def ordered(query):
    """The query with the end of the period after its beginning, and at most a year later."""
    try:
        first = datetime.date.fromisoformat(query["from"])
        last = datetime.date.fromisoformat(query["to"])
    except (KeyError, TypeError, ValueError):
        return query
    first = min(first, datetime.date(9998, 1, 1))
    last = first + datetime.timedelta(days=abs((last - first).days) % 366)
    return {**query, "from": first.isoformat(), "to": last.isoformat()}
