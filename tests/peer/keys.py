"""Gives the peer keys with budgets although it has no database here.

The proxy reads its keys from PostgreSQL through an engine that its client downloads when it first runs, and it settles spend only
where that database is connected. This module puts back the two ends by documented extension points (`custom_auth`, `callbacks`) and
leaves what lies between, the check, the reservation and the settlement, to the proxy's own code. It is loaded by the proxy, not by us.
"""

from litellm.proxy import proxy_server
from litellm.proxy._types import LiteLLM_UserTable, UserAPIKeyAuth, hash_token
from litellm.proxy.hooks.proxy_track_cost_callback import _ProxyDBLogger

USER = "peer-user"
# Longer than any benchmark, so that no round pays for a lookup that a database would have answered from the cache.
CACHE_TTL_SECONDS = 24 * 3600

# The class that the proxy registers itself when a database is connected.
meter = _ProxyDBLogger()

_seen = set()


async def check(request, api_key: str) -> UserAPIKeyAuth:
    """A key carries its budget: `sk-peer-<name>-<nano-USD>`."""
    prefix, _, budget_nano_usd = api_key.rpartition("-")
    if not prefix.startswith("sk-peer-") or not budget_nano_usd.isdigit():
        raise ValueError("not a key of the benchmark")
    key = _key(api_key, int(budget_nano_usd) / 1e9)
    if api_key not in _seen:
        await _remember(key)
        _seen.add(api_key)
    return key


@proxy_server.app.get("/peer/spend/{api_key}")
async def spend(api_key: str) -> dict:
    """What the proxy itself has booked on the key, in USD."""
    value = proxy_server.spend_counter_cache.in_memory_cache.get_cache(key=f"spend:key:{hash_token(api_key)}")
    return {"spend_usd": value}


def _key(api_key: str, max_budget: float) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(
        api_key=api_key, key_alias="peer", user_id=USER, max_budget=max_budget, spend=0.0, models=[], metadata={}
    )


async def _remember(key: UserAPIKeyAuth) -> None:
    """What a first request would have fetched from the database and cached."""
    cache = proxy_server.user_api_key_cache
    await cache.async_set_cache(key=key.token, value=key, ttl=CACHE_TTL_SECONDS)
    await cache.async_set_cache(key=USER, value=LiteLLM_UserTable(user_id=USER, max_budget=None), ttl=CACHE_TTL_SECONDS)
    # The spend that the database records for a new key. Strict enforcement refuses every call without it.
    counters = proxy_server.spend_counter_cache.in_memory_cache
    counters.set_cache(key=f"spend_db_floor:spend:key:{key.token}", value=0.0, ttl=CACHE_TTL_SECONDS)
