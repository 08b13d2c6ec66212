-- The questions that analysts ask first. Points = score x 1000, one decimal; never a probability.
create schema if not exists views;

create view views.current_list as
select
    r.reference_date,
    r.cohort,
    r.rank,
    r.child_key,
    r.school_code,
    n.school_name,
    round(r.score * 1000, 1) as points,
    s.standing,
    r.tied_at_cut,
    r.legacy_hits,
    r.legacy_flag,
    r.newly_found,
    r.newly_found_equal,
    r.share_of,
    r.open_consultation,
    r.known_before,
    r.incomplete_delivery,
    r.sibling_selected,
    r.weights_version
from screening.ranking as r
left join screening.stability as s using (reference_date, child_key)
left join catalogue.schools as n using (school_code)
where
    r.selected
    and r.reference_date = (select max(latest.reference_date) from screening.ranking as latest)
order by r.cohort, r.rank;

create view views.why as
select
    f.reference_date,
    f.child_key,
    row_number() over (
        partition by f.reference_date, f.child_key
        order by abs(f.contribution) desc, f.item
    ) as factor,
    f.item,
    coalesce(i.ja, f.item) as item_ja,
    f.level,
    f.level_ja,
    round(f.contribution * 1000, 1) as points,
    d.ja as direction,
    f.source_table,
    t.ja as source_table_ja,
    f.delivered_on
from explanation.factors as f
left join catalogue.names as i using (item)
left join catalogue.directions as d using (direction)
left join catalogue.tables as t on t.table_id = f.source_table
where f.item <> '(base)';

create view views.weights_in_force as
select
    f.reference_date,
    w.version,
    w.band,
    v.origin,
    w.item,
    coalesce(i.ja, w.item) as item_ja,
    w.level,
    round(w.weight * 1000, 1) as points,
    round(w.std_error * 1000, 1) as std_error_points,
    round((w.weight - s.normal_quantile * w.std_error) * 1000, 1) as low_points,
    round((w.weight + s.normal_quantile * w.std_error) * 1000, 1) as high_points,
    w.p_value,
    w.children
from weights.in_force as f
cross join catalogue.settings as s
join weights.coefficients as w using (version)
join weights.versions as v using (version, band)
left join catalogue.names as i on i.item = w.item;

create view views.selection_log as
select
    s.version,
    s.band,
    s.sequence,
    s.step,
    s.round,
    s.item,
    coalesce(i.ja, s.item) as item_ja,
    s.level,
    s.action,
    s.reason,
    s.statistic,
    s.p_value
from weights.selection_log as s
left join catalogue.names as i on i.item = s.item
order by s.version, s.band, s.sequence;

create view views.list_changes as
select
    c.reference_date,
    c.previous_date,
    c.child_key,
    c.change,
    round(c.score_change * 1000, 1) as points,
    round(c.by_weights * 1000, 1) as points_by_weights,
    round(c.by_child * 1000, 1) as points_by_child,
    c.strongest_item,
    coalesce(i.ja, c.strongest_item) as strongest_item_ja
from evaluation.list_changes as c
left join catalogue.names as i on i.item = c.strongest_item
order by c.reference_date, c.change, abs(c.score_change) desc nulls last, c.child_key;

create view views.drift as
select
    d.reference_date,
    d.against,
    d.previous_date,
    d.kind,
    d.name as item,
    coalesce(i.ja, d.name) as item_ja,
    d.band,
    d.in_model,
    d.children_now,
    d.children_then,
    d.psi,
    d.verdict,
    d.law
from evaluation.drift as d
left join catalogue.names as i on i.item = d.name
where d.kind <> 'list'
order by d.reference_date, d.psi desc, d.name, d.band, d.against;

create view views.legacy_comparison as
with groups as (
    select
        reference_date,
        band,
        unnest(
            [
                {
                    'compared': 'both',
                    'children': "both",
                    'supported': both_supported
                },
                {
                    'compared': 'only_list',
                    'children': only_new,
                    'supported': only_new_supported
                },
                -- the meeting decides on the list, not on whom it left out
                {
                    'compared': 'only_legacy',
                    'children': only_legacy,
                    'supported': null
                },
                {
                    'compared': 'equal_both',
                    'children': equal_length_both,
                    'supported': equal_length_both_supported
                },
                {
                    'compared': 'equal_only_list',
                    'children': equal_length_only_new,
                    'supported': equal_length_only_new_supported
                }
            ],
            recursive := true
        )
    from evaluation.legacy_comparison
    where school_year is null
),

-- what the newest refresh says of each list
later as (
    select *
    from evaluation.backtest
    qualify reference_date = max(reference_date) over (partition by list_date, horizon_months)
)

select
    g.reference_date,
    g.band,
    g.compared,
    g.children,
    g.supported,
    b.horizon_months,
    b.followed,
    b.first_consultations,
    b.rate
from groups as g
left join later as b on b.list_date = g.reference_date and b.band = g.band and b.rule = g.compared
order by g.reference_date, g.band, g.compared, b.horizon_months;

create view views.children_per_school as
select
    c.reference_date,
    c.school_code,
    n.school_name,
    c.school_year,
    c.children
from evaluation.children_per_school as c
left join catalogue.schools as n using (school_code)
where c.school_code is not null and c.school_year is not null
order by c.reference_date, c.school_code, c.school_year;

create view views.missing as
select
    m.reference_date,
    m.school_code,
    n.school_name,
    m.item,
    coalesce(i.ja, m.item) as item_ja,
    m.children,
    m.no_record,
    m.blank,
    round(m.no_record / m.children, 2) as no_record_share,
    round(m.blank / m.children, 2) as blank_share
from evaluation.missing_per_school as m
left join catalogue.schools as n using (school_code)
left join catalogue.names as i using (item)
order by m.reference_date, m.school_code nulls first, m.item;
