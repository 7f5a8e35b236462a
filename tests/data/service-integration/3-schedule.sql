SELECT schedule_call(
  'user_uuid',
  'template_uuid',
  'John Doe',
  '+15551234567',
  'john@example.com',
  CURRENT_TIMESTAMP + INTERVAL '1 hour',
  3, -- priority
  '{"company_name": "Acme Inc"}', -- custom variables
  '{"source": "web_app"}' -- metadata
);
