DROP TABLE daily_totals_head;
DROP TABLE daily_totals;
