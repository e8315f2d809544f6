"""Search in Chinese from one character on: bigrams made in SQL, so both sides are normalised alike."""

from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Func, Lookup


class ZhBigrams(Func):
    """`public.zh_bigrams(text)`: an immutable function of the shared schema, fit for an index."""

    function = "public.zh_bigrams"
    output_field = SearchVectorField()


@SearchVectorField.register_lookup
class ZhMatch(Lookup):
    """`…__zh=term`: rows whose text holds every bigram of the term; recheck with `contains` for exactness."""

    lookup_name = "zh"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} @@ public.zh_query({right})", (*left_params, *right_params)
