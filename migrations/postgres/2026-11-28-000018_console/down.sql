DROP INDEX disputes_to_answer;
DROP INDEX refunds_failed;
DROP INDEX orders_of_an_email;
DROP TABLE console_sessions;
DROP TABLE console_links;
