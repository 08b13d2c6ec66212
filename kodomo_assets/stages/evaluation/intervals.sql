-- The 95 % interval of a share of n (Wilson 1927), for whatever stands in `evaluation`; n may be an effective number.
-- NULL where nobody is there to be counted.
create or replace temp macro normal_quantile() as 1.959963984540054;

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
