-- One row per table of the contract: the latest delivery on or before the reference date that was accepted.
create or replace temp table delivered as
with latest as (
    select
        table_name,
        max(reference_date) as delivered_on
    from sources.deliveries
    where
        status = 'accepted'
        and not superseded
        and reference_date <= $reference_date
    group by table_name
)

select
    contract.table_name,
    case when not contract.lapsed then latest.delivered_on end as delivered_on,
    case
        when contract.lapsed then 'lapsed'
        when latest.delivered_on is null then 'never'
        when latest.delivered_on = $reference_date then 'delivered'
        else 'earlier'
    end as status
from contract
left join latest using (table_name)
order by contract.position
