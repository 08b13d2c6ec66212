-- What the second landing added to tables of the first. Neither noted its steps, and the second added these columns
-- without a word to whatever it opened: they may be there already.
alter table if exists sources.deliveries add column if not exists withdrawn boolean;

alter table if exists sources.quarantine add column if not exists readable_cells map (varchar, varchar);

alter table if exists sources.quarantine add column if not exists unread_cells varchar[];

alter table if exists linkage.review add column if not exists asked_because varchar;

alter table if exists weights.model_cards add column if not exists cv_precision_low double;

alter table if exists weights.model_cards add column if not exists cv_precision_high double;

alter table if exists weights.model_cards add column if not exists is_weak boolean;

alter table if exists review.meeting_list add column if not exists probability double;

alter table if exists review.support add column if not exists report varchar;

alter table if exists evaluation.indicators add column if not exists children integer;
