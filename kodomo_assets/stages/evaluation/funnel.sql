-- How many of the selected children reach each step, per school and school year, and over all (NULL). Whoever went to the
-- meeting from below the cut (the random sample, a child that the meeting added) is counted apart: what became of the
-- sample says what the list misses, and added to the selected it would say neither. Of each: a + b + c + d + undecided.
create or replace temp table funnel_children as
-- A child who takes something up was offered it, and who was offered it was spoken to.
with helped as (
    select
        child_key,
        true as spoken_to,
        bool_or(step <> 'spoken_to') as offered,
        bool_or(step in ('taken_up', 'supported', 'ended')) as taken_up,
        -- speaking to a child, or offering something more, ends no support
        coalesce(
            arg_max(step, (given_on, position)) filter (step not in ('spoken_to', 'offered'))
            in ('taken_up', 'supported'),
            false
        ) as supported
    from review.support
    join steps using (step)
    where reference_date = $reference_date
    group by child_key
)

select
    c.school_code,
    c.school_year,
    r.child_key is not null as screened,
    coalesce(r.selected, false) as selected,
    not coalesce(r.selected, false) and (l.child_key is not null or d.child_key is not null) as below_cut,
    coalesce(r.newly_found, false) as newly_found,
    s.counted_as,
    coalesce(list_contains($with_leaflets, d.direction), false) as has_leaflet,
    d.decision is null and (coalesce(r.selected, false) or l.child_key is not null) as undecided,
    coalesce(h.spoken_to, false) as spoken_to,
    coalesce(h.offered, false) as offered,
    coalesce(h.taken_up, false) as taken_up,
    coalesce(h.supported, false) as supported
from linkage.children as c
left join screening.ranking as r using (reference_date, child_key)
left join review.meeting_list as l using (reference_date, child_key)
left join review.decisions_in_force as d using (reference_date, child_key)
left join decision_steps as s using (decision)
left join helped as h using (child_key)
where
    c.reference_date = $reference_date
    and (r.child_key is not null or d.child_key is not null);

create or replace temp table new_funnel as
select
    $reference_date::date as reference_date,
    school_code,
    school_year,
    (count(*) filter (screened))::integer as screened,
    (count(*) filter (selected))::integer as selected,
    (count(*) filter (below_cut))::integer as below_cut,
    (count(*) filter (selected and counted_as = 'accepted'))::integer as accepted,
    (count(*) filter (selected and counted_as = 'preventive'))::integer as preventive,
    (count(*) filter (selected and counted_as = 'follow_up'))::integer as follow_up,
    (count(*) filter (selected and counted_as = 'not_supported'))::integer as not_supported,
    (count(*) filter (selected and undecided))::integer as undecided,
    (count(*) filter (selected and spoken_to))::integer as spoken_to,
    (count(*) filter (selected and offered))::integer as offered,
    (count(*) filter (selected and taken_up))::integer as taken_up,
    (count(*) filter (selected and supported))::integer as supported,
    (count(*) filter (newly_found))::integer as newly_found,
    (count(*) filter (newly_found and counted_as = 'accepted'))::integer as newly_found_accepted,
    (count(*) filter (newly_found and counted_as = 'preventive'))::integer as newly_found_preventive,
    (count(*) filter (newly_found and counted_as = 'follow_up'))::integer as newly_found_follow_up,
    (count(*) filter (newly_found and counted_as = 'not_supported'))::integer as newly_found_not_supported,
    (count(*) filter (newly_found and undecided))::integer as newly_found_undecided,
    (count(*) filter (newly_found and spoken_to))::integer as newly_found_spoken_to,
    (count(*) filter (newly_found and offered))::integer as newly_found_offered,
    (count(*) filter (newly_found and taken_up))::integer as newly_found_taken_up,
    (count(*) filter (newly_found and supported))::integer as newly_found_supported,
    (count(*) filter (below_cut and counted_as = 'accepted'))::integer as below_cut_accepted,
    (count(*) filter (below_cut and counted_as = 'preventive'))::integer as below_cut_preventive,
    (count(*) filter (below_cut and counted_as = 'follow_up'))::integer as below_cut_follow_up,
    (count(*) filter (below_cut and counted_as = 'not_supported'))::integer as below_cut_not_supported,
    (count(*) filter (below_cut and undecided))::integer as below_cut_undecided,
    (count(*) filter (below_cut and spoken_to))::integer as below_cut_spoken_to,
    (count(*) filter (below_cut and offered))::integer as below_cut_offered,
    (count(*) filter (below_cut and taken_up))::integer as below_cut_taken_up,
    (count(*) filter (below_cut and supported))::integer as below_cut_supported
from funnel_children
group by cube(school_code, school_year);

create or replace temp table new_indicators as
with lists as (
    select (min(exported_at) at time zone $timezone)::date as first_list
    from review.exports
    where reference_date = $reference_date and kind = $school_list
),

preventive as (
    select
        count(*) filter (counted_as is not null) as decided,
        count(*) filter (counted_as = 'preventive') as children,
        count(*) filter (counted_as = 'preventive' and spoken_to) as spoken_to,
        count(*) filter (counted_as in ('accepted', 'preventive', 'follow_up') and has_leaflet) as with_leaflet,
        count(*) filter (counted_as in ('accepted', 'preventive', 'follow_up') and has_leaflet and offered) as offered
    from funnel_children
)

select
    $reference_date::date as reference_date,
    'days_to_school_list' as indicator,
    '基準日から学校への名簿までの日数' as ja,
    (first_list - $reference_date::date)::double as value,
    $interview_window_days::double as target,
    null::integer as children
from lists
union all by name
select
    $reference_date::date as reference_date,
    'spoken_to_share' as indicator,
    $spoken_to_share as ja,
    spoken_to / nullif(children, 0) as value,
    1.0 as target,
    children::integer as children
from preventive
union all by name
-- 案内資料 that a school handed out, or the centre (支援記録)
select
    $reference_date::date as reference_date,
    'leaflets_share' as indicator,
    $leaflets_share as ja,
    offered / with_leaflet as value,
    1.0 as target,
    with_leaflet::integer as children
from preventive
where with_leaflet > 0
union all by name
-- list and sample: the meeting spends its time on both
select
    $reference_date::date as reference_date,
    'hours_per_preventive' as indicator,
    $hours_per_preventive as ja,
    decided * $minutes_per_case / 60 / nullif(children, 0) as value,
    null::double as target,
    children::integer as children
from preventive
where $minutes_per_case is not null;
