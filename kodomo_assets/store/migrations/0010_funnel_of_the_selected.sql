-- The counts of before added up the selected and who went to the meeting from below the cut: every date is counted anew.
drop table evaluation.funnel;

create table evaluation.funnel (
    reference_date date not null,
    school_code varchar,
    school_year integer,
    screened integer not null,
    selected integer not null,
    below_cut integer not null,
    accepted integer not null,
    preventive integer not null,
    follow_up integer not null,
    not_supported integer not null,
    undecided integer not null,
    spoken_to integer not null,
    offered integer not null,
    taken_up integer not null,
    supported integer not null,
    newly_found integer not null,
    newly_found_accepted integer not null,
    newly_found_preventive integer not null,
    newly_found_follow_up integer not null,
    newly_found_not_supported integer not null,
    newly_found_undecided integer not null,
    newly_found_spoken_to integer not null,
    newly_found_offered integer not null,
    newly_found_taken_up integer not null,
    newly_found_supported integer not null,
    below_cut_accepted integer not null,
    below_cut_preventive integer not null,
    below_cut_follow_up integer not null,
    below_cut_not_supported integer not null,
    below_cut_undecided integer not null,
    below_cut_spoken_to integer not null,
    below_cut_offered integer not null,
    below_cut_taken_up integer not null,
    below_cut_supported integer not null
);

insert into evaluation.funnel by name
with helped as (
    select
        reference_date,
        child_key,
        true as spoken_to,
        bool_or(step <> 'spoken_to') as offered,
        bool_or(step in ('taken_up', 'supported', 'ended')) as taken_up,
        coalesce(
            arg_max(
                step,
                (given_on, list_position(['spoken_to', 'offered', 'declined', 'taken_up', 'supported', 'ended'], step))
            ) filter (step not in ('spoken_to', 'offered'))
            in ('taken_up', 'supported'),
            false
        ) as supported
    from review.support
    group by reference_date, child_key
),

children as (
    select
        c.reference_date,
        c.school_code,
        c.school_year,
        r.child_key is not null as screened,
        coalesce(r.selected, false) as selected,
        not coalesce(r.selected, false) and (l.child_key is not null or d.child_key is not null) as below_cut,
        coalesce(r.newly_found, false) as newly_found,
        d.decision,
        d.decision is null and (coalesce(r.selected, false) or l.child_key is not null) as undecided,
        coalesce(h.spoken_to, false) as spoken_to,
        coalesce(h.offered, false) as offered,
        coalesce(h.taken_up, false) as taken_up,
        coalesce(h.supported, false) as supported
    from linkage.children as c
    left join screening.ranking as r using (reference_date, child_key)
    left join review.meeting_list as l using (reference_date, child_key)
    left join review.decisions_in_force as d using (reference_date, child_key)
    left join helped as h using (reference_date, child_key)
    where
        (r.child_key is not null or d.child_key is not null)
        and c.reference_date in (select reference_date from screening.ranking)
)

select
    reference_date,
    school_code,
    school_year,
    (count(*) filter (screened))::integer as screened,
    (count(*) filter (selected))::integer as selected,
    (count(*) filter (below_cut))::integer as below_cut,
    (count(*) filter (selected and decision = 'a'))::integer as accepted,
    (count(*) filter (selected and decision = 'b'))::integer as preventive,
    (count(*) filter (selected and decision = 'c'))::integer as follow_up,
    (count(*) filter (selected and decision = 'd'))::integer as not_supported,
    (count(*) filter (selected and undecided))::integer as undecided,
    (count(*) filter (selected and spoken_to))::integer as spoken_to,
    (count(*) filter (selected and offered))::integer as offered,
    (count(*) filter (selected and taken_up))::integer as taken_up,
    (count(*) filter (selected and supported))::integer as supported,
    (count(*) filter (newly_found))::integer as newly_found,
    (count(*) filter (newly_found and decision = 'a'))::integer as newly_found_accepted,
    (count(*) filter (newly_found and decision = 'b'))::integer as newly_found_preventive,
    (count(*) filter (newly_found and decision = 'c'))::integer as newly_found_follow_up,
    (count(*) filter (newly_found and decision = 'd'))::integer as newly_found_not_supported,
    (count(*) filter (newly_found and undecided))::integer as newly_found_undecided,
    (count(*) filter (newly_found and spoken_to))::integer as newly_found_spoken_to,
    (count(*) filter (newly_found and offered))::integer as newly_found_offered,
    (count(*) filter (newly_found and taken_up))::integer as newly_found_taken_up,
    (count(*) filter (newly_found and supported))::integer as newly_found_supported,
    (count(*) filter (below_cut and decision = 'a'))::integer as below_cut_accepted,
    (count(*) filter (below_cut and decision = 'b'))::integer as below_cut_preventive,
    (count(*) filter (below_cut and decision = 'c'))::integer as below_cut_follow_up,
    (count(*) filter (below_cut and decision = 'd'))::integer as below_cut_not_supported,
    (count(*) filter (below_cut and undecided))::integer as below_cut_undecided,
    (count(*) filter (below_cut and spoken_to))::integer as below_cut_spoken_to,
    (count(*) filter (below_cut and offered))::integer as below_cut_offered,
    (count(*) filter (below_cut and taken_up))::integer as below_cut_taken_up,
    (count(*) filter (below_cut and supported))::integer as below_cut_supported
from children
group by reference_date, cube(school_code, school_year);
