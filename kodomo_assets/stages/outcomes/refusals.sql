-- What is wrong with a row in relation to the children and to the days, NULL where nothing is: the same words for every
-- kind of file. The macros take the row's cells, and what was found of the child that they name.
create or replace temp macro unnamed_child(given_key, given_number, known_key, known_number) as
case
    when given_key is null and given_number is null
        then '児童キー and 配布番号 are blank, expected one of them'
    when known_key is null
        then 'child unknown at this reference date, expected a 児童キー or 配布番号 of it (one under 利用停止 has none)'
    when given_key is not null and given_number is not null and (given_number is distinct from known_number)
        then '配布番号 is not that of the child, expected the cell as it was sent'
end;

-- A day to come is judged by the file's first reading, so that a file read twice gives the same result.
create or replace temp macro impossible_day(header, given_on, reference_date, read_on) as
case
    when given_on < reference_date
        then header || ' lies before the reference date'
    when given_on > read_on
        then header || ' lay in the future when this file was first read, expected a day up to then'
end;
