-- What the meeting sees of each of its children (`meeting_children`). Points = score x 1000.
create or replace temp table meeting_factors as
select
    f.child_key,
    -- an item that is none any more stands last
    n.position,
    f.item,
    -- as it was called when the list was made; an earlier version kept no names
    coalesce(case when starts_with(f.item, 'table:') then f.tables_ja else f.item_ja end, n.ja) as ja,
    f.level,
    f.level_ja,
    round(f.contribution * 1000, 1) as points,
    coalesce(n.about, []) as about,
    case
        when n.item is not null then v.level is not null
        else not starts_with(f.item, 'table:') and f.level not in ('no_record', 'blank', 'not_applicable')
    end as applies,
    -- a table without a record is told by its items
    case
        when f.level in ('no_record', 'blank') and not starts_with(f.item, 'table:') then f.level
    end as missing,
    coalesce(v.legacy, false) as legacy_hit
from explanation.factors as f
semi join meeting_children as c using (child_key)
left join item_names as n using (item)
left join item_levels as v using (item, level)
where
    f.reference_date = $reference_date
    and f.item <> '(base)'
    -- what fairness forbids by now has levels and no name
    and (
        n.item is not null
        or (f.item_ja is not null and f.item not in (select l.item from item_levels as l))
    )
    and (f.contribution <> 0 or f.level not in ('not_applicable', 'recorded'));

create or replace temp table gathered_children as
with hinted as (
    select
        c.child_key,
        list(h.ja order by h.number) as hints
    from meeting_children as c
    join hints as h on list_contains(h.school_years, c.school_year)
    where
        -- whoever is in it is not told to use it
        not exists (from hidden_hints as x where x.child_key = c.child_key and x.ja = h.ja)
        and not exists (
            from hint_conditions as w
            where
                w.number = h.number
                and w.must
                and not exists (
                    from meeting_factors as f
                    where f.child_key = c.child_key and f.item = w.item and list_contains(w.levels, f.level)
                )
        )
        and (
            not exists (from hint_conditions as w where w.number = h.number and not w.must)
            or exists (
                from hint_conditions as w
                join meeting_factors as f on f.item = w.item and list_contains(w.levels, f.level)
                where w.number = h.number and not w.must and f.child_key = c.child_key
            )
        )
    group by c.child_key
),

siblings as (
    select
        c.child_key,
        list(s.sheet_number order by s.sheet_number) as siblings
    from meeting_children as c
    join meeting_children as s on s.household_id = c.household_id and s.child_key <> c.child_key
    -- a household under 支援措置 is shown in no file
    where
        not c.protected
        and not s.protected
        -- a child that is not screened has no number to be named by
        and s.sheet_number is not null
    group by c.child_key
),

last_date as (
    select max(reference_date) as reference_date
    from screening.ranking
    where reference_date < $reference_date
),

last_ranking as (
    select
        r.reference_date,
        r.child_key,
        r.rank,
        r.selected,
        count(*) over (partition by r.cohort) as ranked
    from screening.ranking as r
    join last_date using (reference_date)
),

sub_scores as (
    select
        child_key,
        map(list(difficulty order by difficulty), list(round(score * 1000, 1) order by difficulty)) as difficulties
    from screening.difficulty_scores
    where reference_date = $reference_date
    group by child_key
),

base as (
    select
        child_key,
        round(contribution * 1000, 1) as base_points
    from explanation.factors
    where reference_date = $reference_date and item = '(base)'
)

select
    c.child_key,
    coalesce(c.sheet_number, '') as sheet_number,
    c.school_year,
    case when not c.protected then c.school_code end as school_code,
    case when not c.protected then c.school_name end as school,
    c.protected,
    r.rank,
    round(r.score * 1000, 1) as points,
    b.base_points,
    d.difficulties,
    coalesce(r.tied_at_cut, false) as tied_at_cut,
    coalesce(v.standing = 'sure', false) as sure,
    coalesce(v.standing = 'borderline', false) as borderline,
    r.newly_found,
    r.legacy_flag,
    coalesce(r.open_consultation, y.open_consultation, false) as open_consultation,
    coalesce(r.known_before, y.known_before, false) as known_before,
    coalesce(r.incomplete_delivery, false) as incomplete_delivery,
    coalesce(r.share_of = 'missing', false) as school_missing,
    not c.on_list and not c.was_listed as added,
    not c.on_list and c.was_listed as taken_off,
    c.protected and c.release as released,
    coalesce(i.siblings, []) as siblings,
    case
        when t.child_key is not null
            then {
                reference_date: t.reference_date,
                rank: t.rank,
                ranked: t.ranked,
                selected: t.selected
            }
    end as last_term,
    coalesce(h.hints, []) as hints,
    case
        when c.decision is not null
            then {
                decision: c.decision,
                direction: c.direction,
                reason: c.reason,
                meeting_date: c.meeting_date,
                decided_by: c.decided_by,
                assigned_to: c.assigned_to,
                release: c.release
            }
    end as decision,
    p.* exclude (reference_date, child_key, school_code)
from meeting_children as c
left join screening.ranking as r on r.reference_date = $reference_date and r.child_key = c.child_key
left join screening.stability as v on v.reference_date = $reference_date and v.child_key = c.child_key
left join features.labels as y on y.reference_date = $reference_date and y.child_key = c.child_key
left join hinted as h on h.child_key = c.child_key
left join siblings as i on i.child_key = c.child_key
left join last_ranking as t on t.child_key = c.child_key
left join sub_scores as d on d.child_key = c.child_key
left join base as b on b.child_key = c.child_key
left join review.personal_sheets as p on p.reference_date = $reference_date and p.child_key = c.child_key;
