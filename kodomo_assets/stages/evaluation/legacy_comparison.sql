-- The list against データベースみまもり at the length of each, and at equal length, with what the meeting decided of the
-- selected. A longer list is mostly new by itself. Reads the temp table decision_steps.
create or replace temp table new_legacy_comparison as
with ranked as (
    select
        r.band,
        r.cohort as school_year,
        r.selected,
        r.legacy_flag,
        r.selected and r.legacy_flag is null as is_unknown,
        r.selected and r.legacy_flag as is_both,
        r.selected and not r.legacy_flag as is_new,
        not r.selected and coalesce(r.legacy_flag, false) as is_legacy,
        r.selected and not r.newly_found_equal as is_both_equal,
        r.newly_found_equal as is_new_equal,
        coalesce(s.counted_as in ('accepted', 'preventive'), false) as is_supported
    from screening.ranking as r
    left join review.decisions_in_force as d using (reference_date, child_key)
    left join decision_steps as s using (decision)
    where r.reference_date = $reference_date
)

select
    $reference_date::date as reference_date,
    band,
    school_year,
    (count(*) filter (selected))::integer as selected,
    (count(*) filter (legacy_flag))::integer as legacy_flagged,
    (count(*) filter (is_both))::integer as "both",
    (count(*) filter (is_new))::integer as only_new,
    (count(*) filter (is_legacy))::integer as only_legacy,
    (count(*) filter (is_unknown))::integer as legacy_unknown,
    (count(*) filter (is_both_equal))::integer as equal_length_both,
    (count(*) filter (is_new_equal))::integer as equal_length_only_new,
    (count(*) filter (is_both and is_supported))::integer as both_supported,
    (count(*) filter (is_new and is_supported))::integer as only_new_supported,
    (count(*) filter (is_both_equal and is_supported))::integer as equal_length_both_supported,
    (count(*) filter (is_new_equal and is_supported))::integer as equal_length_only_new_supported
from ranked
group by band, cube(school_year);
