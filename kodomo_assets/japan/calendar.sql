-- Years and ages as Japanese law counts them (method §3), wherever a column holds the dates. `on_day` is a date.

-- 年度: the year whose April begins it (calendar.fiscal_year counts the same of one day).
create or replace temp macro fiscal_year_of(on_day) as year(on_day) - (month(on_day) < 4)::integer;

-- The school year (1-9 = 小1-中3) of who was born 2 April to 1 April (学校教育法17条).
create or replace temp macro legal_school_year(birth_date, on_day) as (
    fiscal_year_of(on_day) - fiscal_year_of(birth_date - 1) - 6
)::integer;

-- Age is completed the day before the birthday (年齢計算ニ関スル法律), so it is counted on the day after.
create or replace temp macro legal_age(birth_date, on_day) as (
    year(on_day + 1) - year(birth_date)
    - ((month(on_day + 1), day(on_day + 1)) < (month(birth_date), day(birth_date)))::integer
)::integer;
