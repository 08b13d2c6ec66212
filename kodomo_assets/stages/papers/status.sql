-- What is there of every table at the reference date, as it was read: `delivered` (stages/sources/in_force.py) says
-- which delivery counts, `awaited_deliveries` (calendar.sql) what should have come.
create or replace temp table status_tables as
with files as (
    select
        table_name,
        count(*) filter (status = 'accepted') as files,
        list(file order by file) filter (status = 'accepted') as names,
        coalesce(sum(rows_accepted) filter (status = 'accepted'), 0) as rows_accepted,
        coalesce(sum(rows_quarantined) filter (status = 'accepted'), 0) as rows_quarantined,
        max(received_at) as received_at
    from sources.deliveries
    where reference_date = $reference_date and not superseded
    group by table_name
),

-- a file that was refused whole leaves no other trace than that it was sent back
refused as (
    select
        table_name,
        count(distinct file) as files
    from sources.returns
    where reference_date = $reference_date and scope = 'file'
    group by table_name
),

stopped as (
    select
        table_name,
        count(*) as faults
    from sources.faults
    where reference_date = $reference_date and blocking and not acknowledged
    group by table_name
)

select
    d.table_name,
    d.status,
    d.delivered_on,
    a.table_name is not null as awaited,
    coalesce(f.files, 0)::integer as files,
    f.names,
    coalesce(r.files, 0)::integer as refused,
    coalesce(f.rows_accepted, 0)::integer as rows_accepted,
    coalesce(f.rows_quarantined, 0)::integer as rows_quarantined,
    (f.received_at at time zone $timezone)::date as received_on,
    coalesce(s.faults, 0)::integer as faults
from delivered as d
left join awaited_deliveries as a using (table_name)
left join files as f using (table_name)
left join refused as r using (table_name)
left join stopped as s using (table_name);

-- What was sent back to the offices, by reason.
create or replace temp table status_returns as
select
    table_name,
    reason,
    count(*)::integer as places,
    list(distinct file order by file) filter (scope = 'file') as files
from sources.returns
where reference_date = $reference_date
group by table_name, reason
order by table_name, places desc, reason;
