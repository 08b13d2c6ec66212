"""The engine against NIST's Statistical Reference Datasets, linear least squares (https://www.itl.nist.gov/div898/strd/).

Certified values were worked out there with 500 digits and are given with 15. Longley stands in ``test_regression.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from kodomo_assets.stages.weights.regression import Array, dependent_columns, fit_ols, triangle

# strd/lls/data/LINKS/DATA/Norris.dat: calibration of ozone monitors, lower difficulty
NORRIS = """
.1 .2  338.8 337.4  118.1 118.2  888.0 884.6  9.2 10.1  228.1 226.5  668.5 666.3  998.5 996.3  449.1 448.6
778.9 777.0  559.2 558.2  .3 .4  .1 .6  778.1 775.5  668.8 666.9  339.3 338.0  448.9 447.5  10.8 11.6
557.7 556.0  228.3 228.1  998.0 995.8  888.8 887.6  119.6 120.2  .3 .3  .6 .3  557.6 556.8  339.3 339.1
888.0 887.2  998.5 999.0  778.9 779.0  10.2 11.1  117.6 118.3  228.9 229.2  668.4 669.1  449.2 448.9  .2 .5
"""
# Pontius.dat: calibration of load cells, two runs over the same 20 loads, lower difficulty
PONTIUS = """
.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146
1.20001 1.30822 1.41599 1.52399 1.63194 1.73947 1.84646 1.95392 2.06128 2.16844
.11052 .22018 .32939 .43886 .54798 .65739 .76596 .87474 .98300 1.09150
1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445 2.06177 2.16829
"""
# Filip.dat: a polynomial of degree 10, higher difficulty
FILIP = """
0.8116 -6.860120914  0.9072 -4.324130045  0.9052 -4.358625055  0.9039 -4.358426747  0.8053 -6.955852379
0.8377 -6.661145254  0.8667 -6.355462942  0.8809 -6.118102026  0.7975 -7.115148017  0.8162 -6.815308569
0.8515 -6.519993057  0.8766 -6.204119983  0.8885 -5.853871964  0.8859 -6.109523091  0.8959 -5.79832982
0.8913 -5.482672118  0.8959 -5.171791386  0.8971 -4.851705903  0.9021 -4.517126416  0.909 -4.143573228
0.9139 -3.709075441  0.9199 -3.499489089  0.8692 -6.300769497  0.8872 -5.953504836  0.89 -5.642065153
0.891 -5.031376979  0.8977 -4.680685696  0.9035 -4.329846955  0.9078 -3.928486195  0.7675 -8.56735134
0.7705 -8.363211311  0.7713 -8.107682739  0.7736 -7.823908741  0.7775 -7.522878745  0.7841 -7.218819279
0.7971 -6.920818754  0.8329 -6.628932138  0.8641 -6.323946875  0.8804 -5.991399828  0.7668 -8.781464495
0.7633 -8.663140179  0.7678 -8.473531488  0.7697 -8.247337057  0.77 -7.971428747  0.7749 -7.676129393
0.7796 -7.352812702  0.7897 -7.072065318  0.8131 -6.774174009  0.8498 -6.478861916  0.8741 -6.159517513
0.8061 -6.835647144  0.846 -6.53165267  0.8751 -6.224098421  0.8856 -5.910094889  0.8919 -5.598599459
0.8934 -5.290645224  0.894 -4.974284616  0.8957 -4.64454848  0.9047 -4.290560426  0.9129 -3.885055584
0.9209 -3.408378962  0.9219 -3.13200249  0.7739 -8.726767166  0.7681 -8.66695597  0.7665 -8.511026475
0.7703 -8.165388579  0.7702 -7.886056648  0.7761 -7.588043762  0.7809 -7.283412422  0.7961 -6.995678626
0.8253 -6.691862621  0.8602 -6.392544977  0.8809 -6.067374056  0.8301 -6.684029655  0.8664 -6.378719832
0.8834 -6.065855188  0.8898 -5.752272167  0.8964 -5.132414673  0.8963 -4.811352704  0.9074 -4.098269308
0.9119 -3.66174277  0.9228 -3.2644011
"""


def numbers(text: str) -> Array:
    return np.array(text.split(), dtype=float)


def powers(x: Array, degree: int) -> list[Array]:
    return [x**power for power in range(degree + 1)]


def same(found: Array, certified: list[float], digits: int) -> None:
    np.testing.assert_allclose(found, certified, rtol=10.0**-digits)


def test_norris():
    y, x = numbers(NORRIS).reshape(-1, 2).T
    fit = fit_ols(powers(x, 1), y)
    same(fit.coefficients, [-0.262323073774029, 1.00211681802045], 12)
    same(fit.std_errors, [0.232818234301152, 0.429796848199937e-03], 13)
    assert fit.r_squared == pytest.approx(0.999993745883712, abs=1e-14)


def test_pontius():
    x = np.tile(np.arange(1, 21) * 150_000.0, 2)
    fit = fit_ols(powers(x, 2), numbers(PONTIUS))
    same(fit.coefficients, [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14], 11)
    same(fit.std_errors, [0.107938612033077e-03, 0.157817399981659e-09, 0.486652849992036e-16], 12)
    assert fit.r_squared == pytest.approx(0.999999900178537, abs=1e-14)


# the residuals that Wampler3-5.dat add to the polynomial: times 1, 100 and 10,000
DISTURBED = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048]
DISTURBED += DISTURBED[-2::-1]
X = np.arange(21.0)
CERTIFIED_ERRORS = [
    2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752, 0.112324854679312,
]  # fmt: skip


def test_wampler_1_and_2_are_polynomials_that_fit_exactly():
    first = fit_ols(powers(X, 5), sum(powers(X, 5)))
    same(first.coefficients, [1.0] * 6, 8)
    assert np.abs(first.std_errors).max() < 1e-8
    assert first.r_squared == pytest.approx(1, abs=1e-14)
    second = fit_ols(powers(X, 5), np.round(sum(powers(X / 10, 5)), 5))
    same(second.coefficients, [1, 0.1, 0.01, 0.001, 0.0001, 0.00001], 10)
    assert np.abs(second.std_errors).max() < 1e-11
    assert second.r_squared == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "times", "r_squared", "digits"),
    [
        ("Wampler3", 1, 0.999995559025820, 8),
        ("Wampler4", 100, 0.957478440825662, 7),
        ("Wampler5", 10_000, 0.224668921574940e-02, 5),
    ],
)
def test_wampler_3_to_5_with_ever_larger_residuals(name, times, r_squared, digits):
    """The coefficients stay 1; their errors grow with the residuals, and so do the digits that nobody has."""
    fit = fit_ols(powers(X, 5), sum(powers(X, 5)) + times * np.array(DISTURBED, dtype=float))
    same(fit.coefficients, [1.0] * 6, digits)
    same(fit.std_errors, [error * times for error in CERTIFIED_ERRORS], 11)
    assert fit.r_squared == pytest.approx(r_squared, rel=1e-11), name


def test_filip_is_refused():
    """Powers up to the tenth of numbers near -6 say nearly the same: the rank test of the design takes none of them.

    A selection names them and makes no version, though a solver may still return digits that are right.
    """
    y, x = numbers(FILIP).reshape(-1, 2).T
    assert len(y) == 82
    assert dependent_columns(triangle(powers(x, 10), y))
    # the lower degrees are no trouble
    assert not dependent_columns(triangle(powers(x, 2), y))
