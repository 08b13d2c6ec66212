-- From contributions to the list (method §6). Reads the temp tables that scoring.py loads (model_items, counted_bands,
-- difficulties, difficulty_items, legacy_items, legacy_settings), those of screened.sql and contributions.sql,
-- incomplete_children, missing_schools, and the labels at the reference date.
--
-- Contributions are added as decimals: a sum of doubles would depend on the order in which threads meet the rows.

create or replace temp table new_difficulty_scores as
with sums as (
    select
        n.child_key,
        a.difficulty,
        sum(n.contribution::decimal(18, 15))::double as score
    from new_contributions as n
    join difficulty_items as a using (item)
    group by n.child_key, a.difficulty
)

select
    $reference_date::date as reference_date,
    c.child_key,
    d.difficulty,
    coalesce(s.score, 0) as score
from screened_children as c
cross join difficulties as d
left join sums as s using (child_key, difficulty);

create or replace temp table legacy_results as
select
    l.child_key,
    count(*) filter (list_contains(g.hit_levels, l.level))::integer as hits,
    hits >= any_value(s.min_hits) as flag,
    count(*) filter (l.level in ('blank', 'no_record')) > any_value(s.max_missing_share) * count(*) as too_few_known
from child_levels as l
join legacy_items as g using (band, item)
join legacy_settings as s using (band)
group by l.child_key;

create or replace temp table new_ranking as
with scores as (
    select
        child_key,
        sum(contribution::decimal(18, 15))::double as score
    from new_contributions
    group by child_key
),

own_levels as (
    select
        l.child_key,
        count(distinct l.item)::integer as own_levels,
        -- many share a count: of those the child comes first whom more difficulties touch
        case when l.band in (from counted_bands) then count(distinct d.difficulty) else 0 end as touched
    from child_levels as l
    join model_items using (band, item)
    left join difficulty_items as d using (item)
    where l.level not in ('not_applicable', 'blank', 'no_record')
    group by l.child_key, l.band
),

ranked as (
    select
        c.*,
        s.score,
        round(s.score, $score_decimals) as compared_score,
        coalesce(o.own_levels, 0) as own_levels,
        row_number() over (
            partition by c.cohort
            order by
                round(s.score, $score_decimals) desc,
                coalesce(o.own_levels, 0) desc,
                coalesce(o.touched, 0) desc,
                sha256($reference_date::date::varchar || '|' || c.child_key)
        )::integer as rank,
        rank <= count(*) over (partition by c.cohort) * $share_percent // 100 as within_cohort,
        case
            when $own_share and c.school_code in (select school_code from missing_schools) then 'missing'
            else 'cohort'
        end as share_of
    from screened_children as c
    join scores as s using (child_key)
    left join own_levels as o using (child_key)
),

-- Children whose school delivered nothing would vanish from the list: they have places of their own, and no fewer than
-- the common ranking would have given them (method §6).
placed as (
    select
        *,
        row_number() over (partition by cohort, share_of order by rank) as place,
        greatest(
            count(*) over (partition by cohort, share_of) * $share_percent // 100,
            case when share_of = 'missing' then count(*) filter (within_cohort) over (partition by cohort, share_of) end
        ) as places
    from ranked
),

cut as (
    select
        *,
        place <= places as selected,
        max(case when place = places then compared_score end) over (partition by cohort, share_of) as cut_score
    from placed
),

flagged as (
    select
        *,
        coalesce(
            compared_score = cut_score
            and bool_or(not selected) over (partition by cohort, share_of, compared_score),
            false
        ) as tied_at_cut,
        count(*) filter (selected) over (partition by household_id) > selected::integer as sibling_selected
    from cut
),

-- As many children of the school year as are selected, by what データベースみまもり counts.
legacy_list as (
    select
        f.child_key,
        row_number() over (
            partition by f.cohort
            order by
                coalesce(h.hits, 0) desc,
                sha256($reference_date::date::varchar || '|' || f.child_key)
        ) <= count(*) filter (f.selected) over (partition by f.cohort) as is_listed
    from flagged as f
    left join legacy_results as h using (child_key)
)

select
    $reference_date::date as reference_date,
    $version as weights_version,
    f.band,
    f.cohort,
    f.rank,
    f.child_key,
    f.school_code,
    f.score,
    f.own_levels,
    f.selected,
    f.share_of,
    f.tied_at_cut,
    coalesce(h.hits, 0) as legacy_hits,
    case when not h.too_few_known then h.flag end as legacy_flag,
    case when not h.too_few_known then f.selected and not h.flag end as newly_found,
    f.selected and not e.is_listed as newly_found_equal,
    coalesce(b.open_consultation, false) as open_consultation,
    coalesce(b.known_before, false) as known_before,
    f.child_key in (from incomplete_children) as incomplete_delivery,
    f.sibling_selected
from flagged as f
join legacy_list as e using (child_key)
left join legacy_results as h using (child_key)
left join features.labels as b
    on b.reference_date = $reference_date and b.child_key = f.child_key;
