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
        when $incident then coalesce(l.first_received_on > $features_at and l.first_received_on <= $reference_date, false)
        else coalesce(l.known_before, false)
    end as event
from features.matrix as m
join linkage.children as c using (reference_date, child_key)
left join features.labels as l on l.reference_date = $reference_date and l.child_key = m.child_key
where
    m.reference_date = $features_at
    -- who was known before is no new event, and who left cannot be followed
    and not (
        $incident
        and (l.child_key is null or coalesce(l.first_received_on <= $features_at, false))
    );
