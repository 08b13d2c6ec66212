-- 出欠, 給食費, 学校健診, 成績, 生活アンケート: what reaches a child through its 学籍番号.

create or replace temp table months as
select
    p.child_key,
    a.*
from delivered_attendance as a
join pupils as p using (pupil_id);

insert into numbers
select
    child_key,
    'absence_days',
    sum(absence_days),
    min(month) filter (absence_days > 0)
from months
where
    month >= window_start('absence_days')
    and month < getvariable('reference_date')
group by child_key;

insert into numbers
select
    child_key,
    'late_or_early_leave',
    case
        when count(late_arrivals) + count(early_leaves) > 0
            then coalesce(sum(late_arrivals), 0) + coalesce(sum(early_leaves), 0)
    end,
    min(month) filter (late_arrivals > 0 or early_leaves > 0)
from months
where
    month >= window_start('late_or_early_leave')
    and month < getvariable('reference_date')
group by child_key;

insert into numbers
select
    child_key,
    'nurse_office_visits',
    sum(nurse_office_visits),
    min(month) filter (nurse_office_visits > 0)
from months
where
    month >= window_start('nurse_office_visits')
    and month < getvariable('reference_date')
group by child_key;

insert into numbers (child_key, item, value)
select
    p.child_key,
    'lunch_fee_arrears',
    max(f.arrears_months)
from delivered_school_lunch_fees as f
join pupils as p using (pupil_id)
where f.fiscal_year <= fiscal_year_of(getvariable('reference_date'))
group by p.child_key, f.fiscal_year
qualify f.fiscal_year = max(f.fiscal_year) over (partition by p.child_key);

-- The latest check in which the needed cell is filled (arg_max skips blank cells); of one day's the higher number's.
create or replace temp table checks as
select
    p.child_key,
    arg_max(h.untreated_teeth, (h.conducted_on, h.pupil_id)) as untreated_teeth,
    arg_max(h.obesity_percent, (h.conducted_on, h.pupil_id)) as obesity_percent,
    arg_max(h.vision, (h.conducted_on, h.pupil_id)) as vision,
    max(h.conducted_on) filter (h.untreated_teeth is not null) as teeth_on,
    max(h.conducted_on) filter (h.obesity_percent is not null) as weight_on,
    max(h.conducted_on) filter (h.vision is not null) as vision_on
from delivered_school_health_checks as h
join pupils as p using (pupil_id)
where not_after(h.conducted_on)
group by p.child_key;

insert into numbers
select
    child_key,
    unnest(['untreated_teeth', 'overweight', 'underweight']),
    unnest([untreated_teeth::double, obesity_percent, obesity_percent]),
    unnest([teeth_on, weight_on, weight_on])
from checks;

insert into coded
select
    child_key,
    'low_vision',
    vision,
    vision_on
from checks;

-- 学力: the mean of the latest 年度 and 学期 that the child has.
insert into numbers (child_key, item, value)
select
    p.child_key,
    'low_grades',
    avg(g.rating)
from delivered_grades as g
join pupils as p using (pupil_id)
where g.fiscal_year <= fiscal_year_of(getvariable('reference_date'))
group by p.child_key, g.fiscal_year, g.term
qualify row_number() over (partition by p.child_key order by g.fiscal_year desc, g.term desc) = 1;

-- A question is read from the latest survey only.
create or replace temp table surveys as
select
    p.child_key,
    s.*
from delivered_school_survey as s
join pupils as p using (pupil_id)
where not_after(s.conducted_on)
qualify row_number() over (partition by p.child_key order by s.conducted_on desc, s.pupil_id desc) = 1;

-- A flag stands as the codes yes and no; a blank one as NULL.
insert into coded
select
    child_key,
    unnest(['worry_study', 'worry_friends', 'worry_family', 'bullied']),
    unnest([
        yes_or_no(worry_study),
        yes_or_no(worry_friends),
        yes_or_no(worry_family),
        yes_or_no(bullied)
    ]),
    conducted_on
from surveys;

insert into coded
select
    child_key,
    unnest([
        'skips_breakfast',
        'dislikes_school',
        'low_self_esteem',
        'family_care_duties',
        'no_one_to_talk_to'
    ]),
    unnest([breakfast, enjoys_school, self_esteem, family_care, someone_to_talk_to]),
    conducted_on
from surveys;

insert into numbers
select
    child_key,
    unnest(['short_sleep', 'screen_time']),
    unnest([sleep_hours, screen_hours]),
    conducted_on
from surveys;
