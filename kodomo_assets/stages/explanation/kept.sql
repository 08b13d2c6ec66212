-- What was told of a list stays as it was told: a run that read no table (`after_meeting`, perhaps years later) makes rows
-- only of whom nothing was told, or whose score another scoring made since. Words, deliveries and files of today are not
-- those that the score comes from. Reads the temp tables new_factors and explained.
create or replace temp table kept_factors as
with whole as (
    select count(*) > 0 as is_whole
    from sources.readings
    where reference_date = $reference_date and run_id = $run_id and starts_with(asset, 'sources.')
),

contributions as (
    select
        child_key,
        item,
        level,
        contribution
    from screening.contributions
    where reference_date = $reference_date
),

before as (
    select f.*
    from explanation.factors as f
    semi join explained using (child_key)
    anti join whole on whole.is_whole
    where f.reference_date = $reference_date
),

scored_anew as (
    select c.child_key
    from contributions as c
    left join before as b using (child_key, item)
    where
        b.item is null
        or b.level <> c.level
        or b.contribution <> c.contribution
    union
    select b.child_key
    from before as b
    anti join contributions as c using (child_key, item)
    where b.contribution <> 0
)

select b.*
from before as b
anti join scored_anew using (child_key);

delete from new_factors
where child_key in (select child_key from kept_factors);

insert into new_factors by name
from kept_factors;
