-- The decision that counts for a child: that of the latest meeting, and of one meeting what was said last.
create or replace temp table decisions_in_force as
select *
from review.decisions
where reference_date = $reference_date
qualify row_number() over (partition by child_key order by meeting_date desc, read_at desc) = 1;
