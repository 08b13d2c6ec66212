-- On which levels the screened children stood at a date: one row per child and item. Reads the temp table
-- screened_children (screened.sql, rescored.sql).
create or replace temp table child_levels as
select
    c.child_key,
    c.band,
    l.item,
    l.level
from features.levels as l
join screened_children as c using (child_key)
where l.reference_date = $levels_at;
