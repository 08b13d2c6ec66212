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
    m.* exclude (reference_date),
    c.band,
    c.school_year,
    c.household_id,
    c.resident_id,
    case
        -- first consultation in the twelve months after the features
        when $incident then coalesce(l.first_counted_on > $features_at and l.first_counted_on <= $reference_date, false)
        else coalesce(l.counted_before, false)
    end as event,
    l.records_set_aside
from features.matrix as m
join linkage.children as c using (reference_date, child_key)
left join counted_labels as l on l.reference_date = $reference_date and l.child_key = m.child_key
where
    m.reference_date = $features_at
    -- who was known before is no new event, and who left cannot be followed
    and not (
        $incident
        and (l.child_key is null or coalesce(l.first_received_on <= $features_at, false))
    );
