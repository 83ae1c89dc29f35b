it.fails ??= it.failing;
it.fails('fails as expected', () => expect(1).toBe(2));
it.fails('passes although it should fail', () => {});
