-- What a refresh of each of the reference dates $days reads of earlier ones, by content: the deliveries that are in
-- force where it has none of its own, every earlier one of the tables $read_back, and the answers of 名寄せ確認.
with days as (
    select unnest($days::date[]) as reference_date
),

held as (
    select
        days.reference_date,
        d.table_name,
        d.reference_date as delivered_on,
        d.sha256,
        max(d.reference_date) over (partition by days.reference_date, d.table_name) as in_force
    from days
    join sources.deliveries as d on d.reference_date <= days.reference_date
    where d.status = 'accepted' and not d.superseded
)

select
    reference_date,
    table_name || '@' || delivered_on as name,
    left(sha256(string_agg(sha256, ' ' order by sha256)), 16) as state
from held
where
    delivered_on < reference_date
    and (delivered_on = in_force or list_contains($read_back, table_name))
group by reference_date, table_name, delivered_on
union all
select
    days.reference_date,
    r.asset || '@' || r.reference_date,
    r.files_state
from days
join sources.readings as r on r.reference_date < days.reference_date
where r.asset = 'linkage.answers' and r.files_state <> ''
order by all
