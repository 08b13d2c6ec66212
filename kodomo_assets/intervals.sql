-- An aggregate: which share of those who are `among` it holds of; NULL where nobody is.
create or replace temp macro share(holds, among) as (
    count(*) filter (holds and among) / nullif(count(*) filter (among), 0)
);

-- The 95 % interval of a share of n (Wilson 1927); n may be an effective number. NULL where nobody is there to be counted.
-- normal_quantile() is made before (intervals.py).
create or replace temp macro wilson_centre(share, n) as (
    (share + normal_quantile() ^ 2 / (2 * n)) / (1 + normal_quantile() ^ 2 / n)
);

create or replace temp macro wilson_half(share, n) as (
    normal_quantile() / (1 + normal_quantile() ^ 2 / n)
    * sqrt(share * (1 - share) / n + normal_quantile() ^ 2 / (4 * n ^ 2))
);

create or replace temp macro wilson_low(share, n) as (
    case when n > 0 then greatest(wilson_centre(share, n) - wilson_half(share, n), 0) end
);

create or replace temp macro wilson_high(share, n) as (
    case when n > 0 then least(wilson_centre(share, n) + wilson_half(share, n), 1) end
);

-- The 95 % interval of the difference of two shares of different people (Newcombe 1998, method 10: of two Wilson's).
create or replace temp macro newcombe_low(share, n, other, m) as (
    share - other - sqrt((share - wilson_low(share, n)) ^ 2 + (wilson_high(other, m) - other) ^ 2)
);

create or replace temp macro newcombe_high(share, n, other, m) as (
    share - other + sqrt((wilson_high(share, n) - share) ^ 2 + (other - wilson_low(other, m)) ^ 2)
);

-- How many people, each of a household of their own, would tell as much of a share as these do: siblings have much in
-- common (Rao and Scott 1992). The design effect is the linearized variance of the share between households over that of
-- as many strangers, and lies between theirs (1) and that of households all of whose children fare alike (Kish 1965),
-- which is what it is taken for where nothing can be estimated: of one household, or where the share is 0 or 1.
-- Of h households with n_h people and y_h of them in the share: households, n = sum n_h, sum n_h^2, sum n_h y_h, sum y_h^2.
-- NULL of nobody.
create or replace temp macro effective_number(share, n, households, sizes, products, squares) as (
    nullif(n, 0) / least(
        greatest(
            coalesce(
                households / nullif(households - 1, 0)
                * (squares - 2 * share * products + share ^ 2 * sizes) / nullif(n * share * (1 - share), 0),
                sizes / n
            ),
            1
        ),
        sizes / n
    )
);
