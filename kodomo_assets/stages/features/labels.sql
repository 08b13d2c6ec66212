-- The dependent variable (児童相談記録の有無) and whether a consultation is still open.
create or replace temp table new_labels as
select
    c.reference_date,
    c.child_key,
    count(r.consultation_id) > 0 as known_before,
    count(*) filter (
        r.consultation_id is not null
        and coalesce(r.closed_on > c.reference_date, true)
    ) > 0 as open_consultation,
    min(r.received_on) as first_received_on
from linkage.children as c
left join linkage.links as l
    on
        l.reference_date = c.reference_date
        and l.child_key = c.child_key
        and l.table_name = 'child_consultations'
left join delivered_child_consultations as r
    on
        r.consultation_id = l.person_ref
        and r.received_on <= c.reference_date
where c.reference_date = $reference_date
group by c.reference_date, c.child_key;
