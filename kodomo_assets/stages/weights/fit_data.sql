-- What counts; labels of an earlier version of this program knew no difference.
create or replace temp view counted_labels as
select
    * replace (
        coalesce(counted_before, known_before) as counted_before,
        case when counted_before is null then first_received_on else first_counted_on end as first_counted_on
    )
from features.labels;

-- Every child that the fit uses, with its levels, band, household and event.
create or replace temp table fit_data as
select
    m.child_key,
    c.band,
    c.school_year,
    c.household_id,
    c.resident_id,
    case
        -- first consultation in the twelve months after the features
        when $incident then coalesce(f.first_counted_on > $features_at and f.first_counted_on <= $reference_date, false)
        else coalesce(l.counted_before, false)
    end as event,
    case when $incident then f.first_counted_on else l.first_counted_on end as event_on,
    $features_at::date as features_at,
    case when $incident then f.records_set_aside else l.records_set_aside end as records_set_aside,
    case when $incident then f.child_key else l.child_key end is not null as is_labelled,
    m.* exclude (reference_date, child_key)
from features.matrix as m
join linkage.children as c using (reference_date, child_key)
left join counted_labels as l on l.reference_date = $reference_date and l.child_key = m.child_key
-- by the children of the features' date: whoever left school in between is on no spine of the reference date
left join features.follow_ups as f on f.reference_date = $reference_date and f.child_key = m.child_key
where
    m.reference_date = $features_at
    -- a matrix of before may still hold who is stopped since (利用停止)
    and m.child_key not in (select s.child_key from rights.stops_in_force as s)
    -- who was known before is no new event; of who moved away before the twelve months were over nobody knows whether
    -- there would have been one, unless there was
    and not (
        $incident
        and (
            coalesce(f.first_received_on <= $features_at, false)
            or coalesce(f.first_counted_on is null and f.seen_until < $reference_date, false)
        )
    );
