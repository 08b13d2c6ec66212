-- What the list of one date rests on: `delivered` and `awaited` are of that date (stages/sources).
insert into derived_deliveries
with files as (
    select
        table_name,
        sum(rows_accepted)::integer as rows_accepted,
        sum(rows_quarantined)::integer as rows_quarantined
    from sources.deliveries
    where reference_date = $reference_date and status = 'accepted' and not superseded
    group by table_name
)

select
    $reference_date::date,
    d.table_name,
    d.status,
    d.table_name in (from awaited),
    d.delivered_on,
    f.rows_accepted,
    f.rows_quarantined
from delivered as d
left join files as f using (table_name);
