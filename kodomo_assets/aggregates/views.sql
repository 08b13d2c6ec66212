-- The host's questions. `views.overview` has a row per city and list; the others tell the newest list of each city.
create or replace view views.overview as
with indicators as (
    select
        city,
        reference_date,
        max(value) filter (indicator = 'days_to_school_list') as days_to_school_list,
        max(value) filter (indicator = 'spoken_to_share') as spoken_to_share,
        max(value) filter (indicator = 'leaflets_share') as leaflets_share,
        max(value) filter (indicator = 'hours_per_preventive') as hours_per_preventive
    from host.indicators
    group by city, reference_date
),

coverage as (
    select
        city,
        reference_date,
        min(linked_of_school_age / persons_of_school_age) as least_linked
    from host.coverage
    group by city, reference_date
),

cards as (
    select
        city,
        reference_date,
        (count(*) filter (is_weak))::integer as weak_bands
    from host.model_cards
    group by city, reference_date
),

drift as (
    select
        city,
        reference_date,
        count(distinct name)::integer as shifted
    from host.drift
    where in_model and verdict = 'shifted'
    group by city, reference_date
),

deliveries as (
    select
        city,
        reference_date,
        (count(*) filter (awaited and status <> 'delivered'))::integer as missing_tables,
        (count(*) filter (status = 'lapsed'))::integer as lapsed_tables
    from host.deliveries
    group by city, reference_date
)

select
    f.city,
    c.name,
    f.reference_date,
    f.reference_date = c.list_of as newest,
    f.screened,
    f.selected,
    f.newly_found,
    f.accepted,
    f.preventive,
    f.follow_up,
    f.not_supported,
    f.undecided,
    f.spoken_to,
    f.offered,
    f.taken_up,
    f.supported,
    i.days_to_school_list,
    i.spoken_to_share,
    i.leaflets_share,
    i.hours_per_preventive,
    v.least_linked,
    coalesce(m.weak_bands, 0) as weak_bands,
    coalesce(d.shifted, 0) as shifted,
    coalesce(s.missing_tables, 0) as missing_tables,
    coalesce(s.lapsed_tables, 0) as lapsed_tables
from host.funnel as f
inner join host.cities as c using (city)
left join indicators as i using (city, reference_date)
left join coverage as v using (city, reference_date)
left join cards as m using (city, reference_date)
left join drift as d using (city, reference_date)
left join deliveries as s using (city, reference_date)
where f.school_year is null;

-- Who is to be asked first.
create or replace view views.attention as
select
    c.city,
    c.name,
    case
        when c.state <> 'read' then 3
        when c.late then 2
        when o.missing_tables + o.lapsed_tables + o.weak_bands + o.shifted > 0 then 1
        else 0
    end as urgency,
    c.state,
    c.problem,
    c.late,
    c.list_of,
    c.next_date,
    c.next_due,
    c.published_at,
    o.missing_tables,
    o.lapsed_tables,
    o.weak_bands,
    o.shifted
from host.cities as c
left join views.overview as o on o.city = c.city and o.newest;

create or replace view views.coverage as
select
    c.city,
    c.name,
    v.reference_date,
    v.table_name,
    n.ja as table_ja,
    v.persons_of_school_age,
    v.linked_of_school_age,
    v.linked_of_school_age / v.persons_of_school_age as linked_share,
    v.in_review,
    v.expected_precision
from host.coverage as v
inner join host.cities as c on c.city = v.city and c.list_of = v.reference_date
left join catalogue.names as n on n.kind = 'table' and n.id = v.table_name;

create or replace view views.weights as
select
    c.city,
    c.name,
    m.reference_date,
    m.band,
    n.ja as band_ja,
    m.version,
    m.origin,
    m.fitted_on,
    m.children,
    m.events,
    m.items,
    m.cv_auc,
    m.cv_precision_at_10,
    m.cv_precision_low,
    m.cv_precision_high,
    m.cv_recall_at_10,
    m.cv_lift_at_10,
    m.is_weak
from host.model_cards as m
inner join host.cities as c on c.city = m.city and c.list_of = m.reference_date
left join catalogue.names as n on n.kind = 'band' and n.id = m.band;

create or replace view views.drift as
select
    c.city,
    c.name,
    d.reference_date,
    d.kind,
    d.name as subject,
    n.ja as subject_ja,
    d.band,
    b.ja as band_ja,
    d.against,
    d.previous_date,
    d.in_model,
    d.psi,
    d.stayed,
    d.entered,
    d.left_list,
    d.verdict
from host.drift as d
inner join host.cities as c on c.city = d.city and c.list_of = d.reference_date
left join catalogue.names as n on n.kind = 'subject' and n.id = d.name
left join catalogue.names as b on b.kind = 'band' and b.id = d.band;

create or replace view views.deliveries as
select
    c.city,
    c.name,
    d.reference_date,
    d.table_name,
    n.ja as table_ja,
    d.status,
    d.awaited,
    d.delivered_on,
    d.rows_accepted,
    d.rows_quarantined
from host.deliveries as d
inner join host.cities as c on c.city = d.city and c.list_of = d.reference_date
left join catalogue.names as n on n.kind = 'table' and n.id = d.table_name;
