-- The dependent variable (児童相談記録の有無) and whether a consultation is still open.

-- The first day on which an earlier list led to something for a child: a decision by which the school is told, a talk,
-- a filled 個人票. A record after that day may be caused by the list, and weights fitted on it would feed on themselves.
create or replace temp table led_somewhere as
select child_key, min(day) as led_on
from (
    select child_key, meeting_date as day
    from review.decisions
    where reference_date < $reference_date and list_contains($told, decision)
    union all
    select child_key, given_on
    from review.support
    where reference_date < $reference_date
    union all
    select child_key, filled_on
    from review.personal_sheets
    where reference_date < $reference_date and filled_on is not null
)
where day <= $reference_date
group by child_key;

create or replace temp table new_labels as
with records as (
    select
        c.reference_date,
        c.child_key,
        r.consultation_id,
        r.received_on,
        r.closed_on,
        coalesce($not_counted and r.received_on > d.led_on, false) as set_aside
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
    left join led_somewhere as d on d.child_key = c.child_key
    where c.reference_date = $reference_date
)

select
    reference_date,
    child_key,
    count(consultation_id) > 0 as known_before,
    count(*) filter (
        consultation_id is not null
        and coalesce(closed_on > reference_date, true)
    ) > 0 as open_consultation,
    min(received_on) as first_received_on,
    count(consultation_id) filter (not set_aside) > 0 as counted_before,
    min(received_on) filter (not set_aside) as first_counted_on,
    count(consultation_id) filter (set_aside)::integer as records_set_aside
from records
group by reference_date, child_key;
