-- Levels and scores as they stand at the newest reference date, before $request corrects anything: of the person and of the
-- children of its household, whose items may rest on its rows.
insert into rights.before_corrections by name
with newest as (
    select max(reference_date) as reference_date
    from linkage.children
),

own_households as (
    select household_id
    from linkage.residents
    semi join newest using (reference_date)
    where resident_id = $resident_id
),

concerned as (
    select
        reference_date,
        child_key
    from linkage.children
    semi join newest using (reference_date)
    where
        resident_id = $resident_id
        or household_id in (from own_households)
)

select
    $request as request,
    reference_date,
    child_key,
    item,
    level
from features.levels
semi join concerned using (reference_date, child_key)
union all by name
select
    $request as request,
    reference_date,
    child_key,
    score,
    selected
from screening.ranking
semi join concerned using (reference_date, child_key);
