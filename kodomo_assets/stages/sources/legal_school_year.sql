-- The school year of a child born 2 April to 1 April: fy(R) - fy(birth - 1 day) - 6, fy being the year that begins in April.
create or replace temp macro legal_school_year(birth_date, day) as
    (
        year(day) - (month(day) < 4)::integer
        - year(birth_date - 1) + (month(birth_date - 1) < 4)::integer
        - 6
    )::integer;
