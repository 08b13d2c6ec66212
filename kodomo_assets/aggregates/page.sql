-- What the page tells of the newest list of each city, a row each.
create or replace temp view page_drift as
with most as (
    select
        city,
        subject,
        coalesce(any_value(subject_ja), subject) as ja,
        max(psi) as psi
    from views.drift
    where in_model and verdict = 'shifted' and against = 'fit'
    group by city, subject
),

shifted as (
    select
        city,
        list(ja || coalesce(' ' || printf('%.2f', psi), '') order by psi desc nulls last, ja) as shifted
    from most
    group by city
),

counted as (
    select
        city,
        (
            count(distinct subject) filter (in_model and verdict = 'moderate' and against = 'fit')
        )::integer as moderate,
        max(stayed) filter (kind = 'list' and band is null) as stayed,
        max(entered) filter (kind = 'list' and band is null) as entered,
        max(left_list) filter (kind = 'list' and band is null) as left_list
    from views.drift
    group by city
)

select
    c.city,
    coalesce(s.shifted, []) as shifted,
    c.moderate,
    c.stayed,
    c.entered,
    c.left_list
from counted as c
left join shifted as s using (city);

create or replace temp view page_deliveries as
select
    city,
    count(*)::integer as tables,
    (count(*) filter (status = 'delivered'))::integer as delivered,
    (count(*) filter (status = 'earlier'))::integer as earlier,
    string_agg(table_ja, '、' order by table_ja) filter (awaited and status in ('earlier', 'never')) as lacking,
    string_agg(table_ja, '、' order by table_ja) filter (not awaited and status = 'never') as never,
    string_agg(table_ja, '、' order by table_ja) filter (status = 'lapsed') as lapsed,
    string_agg(table_ja || ' ' || rows_quarantined, '、' order by table_ja)
    filter (rows_quarantined is not null) as quarantined
from views.deliveries
group by city;
