from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets_tests.review.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.con.close()
