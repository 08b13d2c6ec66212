-- What the bootstraps of households (weights.replicates) need of the list of a reference date (method §6).

create or replace temp table stable_children as
select
    r.reference_date,
    r.child_key,
    r.band,
    r.cohort,
    r.score,
    r.own_levels,
    r.selected,
    r.share_of,
    r.weights_version as version,
    v.origin
from screening.ranking as r
join weights.versions as v on v.version = r.weights_version and v.band = r.band
where r.reference_date = $reference_date;

-- Every level of the model with its weight in each replicate; a level on the reference weighs nothing in any.
create or replace temp table resampled_levels as
with fitted as (
    select
        c.band,
        c.item,
        c.level,
        c.children,
        b.children as everyone
    from weights.coefficients as c
    join weights.coefficients as b on b.version = c.version and b.band = c.band and b.item = '(base)'
    where c.version in (select s.version from stable_children as s) and not starts_with(c.item, '(')
),

lengths as (
    select
        band,
        any_value(len(weights)) as replicates
    from weights.replicates
    where version in (select s.version from stable_children as s)
    group by band
)

select
    f.band,
    f.item,
    f.level,
    f.children / f.everyone as share,
    f.level not in ('blank', 'no_record') or f.children > 0 as adds,
    coalesce(r.weights, list_resize([0.0::double], l.replicates, 0.0::double)) as weights,
    dense_rank() over (partition by f.band order by f.item) as item_number,
    row_number() over (partition by f.band order by f.item, f.level) - 1 as number
from fitted as f
join lengths as l using (band)
left join weights.replicates as r
    on
        r.version in (select s.version from stable_children as s)
        and r.band = f.band
        and r.item = f.item
        and r.level = f.level;

-- In the order of the list among equals: more own levels first, then the lot.
create or replace temp table resampled_children as
select
    c.reference_date,
    c.child_key,
    c.band,
    c.cohort,
    c.share_of,
    row_number() over (
        partition by c.cohort
        order by c.own_levels desc, sha256($reference_date::date::varchar || '|' || c.child_key)
    ) as place
from stable_children as c
where c.origin in ('own', 'pooled') and c.band in (select l.band from resampled_levels as l);
