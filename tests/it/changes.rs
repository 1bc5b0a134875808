//! Second thoughts while work is under way, and what they must leave alone. The plain cases are conversations (13 to 17).

use atelier_host::project::{Phase, TaskStatus};
use std::time::Duration;
use tests::home::{Home, approve, assert_agrees, assert_sound, begin, begin_approved, begin_working};
use tests::model_server::{Answer, ModelServer};
use tests::program::atelier_beside;
use tests::workshop::{Tasks, Workshop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requirement_that_changes_in_the_middle_costs_its_own_task_and_no_other() {
    let workshop = Workshop::new(3, Tasks::Apart, || Duration::from_millis(300)).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let (id, work) = begin_working(&app, "parts").await;
    // All three are being written.
    while workshop.server.asked().len() < 2 + 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let project = app.reader.store.project(&id).await.expect("the project");
    app.control.change(&project, "part_2() is 2, said differently.", Some("R2")).await.expect("a change");
    let project = work.await.expect("no panic").expect("it goes on");
    assert_eq!(project.state.phase, Phase::Quoted, "a new plan and its price come first");
    let statuses: Vec<_> = project.state.tasks.iter().map(|task| task.status.clone()).collect();
    assert_eq!(statuses, [TaskStatus::Waiting, TaskStatus::Waiting, TaskStatus::Waiting]);
    assert_eq!(project.state.brief.as_ref().expect("a brief").requirements[1].text, "part_2() is 2, said differently.");
    let project = approve(&app, &project).await;
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Delivered);

    let runs = app.reader.store.runs(&id).await.expect("runs");
    let of = |task: &str| runs.iter().filter(|run| run.step.contains(task)).map(|run| run.outcome.as_str()).collect::<Vec<_>>();
    assert_eq!((of(" T1 "), of(" T3 ")), (vec!["done"; 2], vec!["done"; 2]), "what they had is kept");
    assert_eq!(of(" T2 "), ["failed", "done", "done"], "it is done again");
    // Understanding and planning twice, and two calls for each task; one more for what the changed task had asked before.
    assert_eq!(workshop.server.asked().len(), 2 + 2 + 3 * 2 + 1);
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &workshop.server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nobody_can_plan_leaves_the_delivered_project_as_it_was() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let delivered = {
        let app = home.app(&workshop.server.url).await;
        begin_approved(&app, "parts").await
    };
    let server = ModelServer::scripted(|_, _| Answer::Text("I would rather talk about something else.".to_owned())).await;
    let app = home.app(&server.url).await;
    let project = app.control.change(&delivered, "say goodbye as well", None).await.expect("a change");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!((&project.state.phase, &project.state.brief), (&Phase::Delivered, &delivered.state.brief));
    assert_eq!((&project.state.tasks, &project.state.plan), (&delivered.state.tasks, &delivered.state.plan));
    let balance = app.reader.store.receipt(&project.id).await.expect("a receipt");
    assert!(balance.refunded.0 > 0, "replies of no use are given back");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_a_change_of_a_project_under_construction_keeps_the_project() {
    let workshop = Workshop::new(2, Tasks::Chained, || Duration::from_millis(500)).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let project = begin(&app, "parts").await;
    let project = approve(&app, &project).await;
    let id = project.id.clone();
    let project = app.control.change(&project, "part_2() is two.", Some("R2")).await.expect("a change");
    let orchestrator = app.orchestrator.clone();
    let work = tokio::spawn(async move { orchestrator.advance(project).await });
    while workshop.server.asked().len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let now = app.reader.store.project(&id).await.expect("the project");
    app.control.cancel(&now).await.expect("asked");
    let project = work.await.expect("no panic").expect("it ended");
    let Phase::Paused(_, before) = &project.state.phase else { panic!("it waits, and is not cancelled: {:?}", project.state.phase) };
    assert_eq!((&**before, project.cancel_requested), (&Phase::Building, false));
    let project = app.control.resume(project, None).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Delivered);
    assert!(app.reader.store.runs(&id).await.expect("runs").iter().all(|run| run.outcome != "open"));
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_delivery_is_still_what_it_was_after_a_change() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::ZERO).await;
    let (home, url) = (Home::shipped(), workshop.server.url.clone());
    let out = |name: &str| home.beside(name).display().to_string();
    assert_eq!(atelier_beside(&home, &url, &["run", "parts", "--yes", "--out", &out("first")]).await.code, Some(0));
    let listed = atelier_beside(&home, &url, &["history", "--json"]).await;
    let id = serde_json::from_str::<serde_json::Value>(&listed.out).expect("a listing")[0]["id"].as_str().expect("an id").to_owned();
    let changed = ["change", &id, "part_2() is two.", "--requirement", "R2", "--yes", "--out", &out("second")];
    let changed = atelier_beside(&home, &url, &changed).await;
    assert_eq!(changed.code, Some(0), "{}{}", changed.out, changed.err);
    for name in ["first", "second"] {
        let zip = home.beside(name).join("project.zip").display().to_string();
        let verified = atelier_beside(&home, &url, &["verify", &zip]).await;
        assert_eq!(verified.code, Some(0), "{name}: {}{}", verified.out, verified.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_tried_again_by_the_class_that_the_user_names() {
    // The ordinary model never writes anything; the other one does.
    let server = ModelServer::scripted(|asked, _| {
        let text = asked.text();
        let answer = match (text.contains("# Your task"), asked.body["model"] == "large") {
            (true, false) => "I have no idea.",
            (true, true) => "summary: be part 1\n\npart_1.py\n````\ndef part_1():\n    return 1\n````\n",
            (false, true) => "accept: it is what it should be.",
            (false, false) if text.contains("into a plan") => {
                "design: d\nrun: r\n\ntask: Be part 1\nneeds: -\nfiles: part_1.py\ndo: Write it.\n\ncheck: R1 file-present part_1.py\n"
            }
            (false, false) => "size: S\ntitle: Parts\nlanguage: python\nsummary: One.\nrequirement: part_1() is 1.\n",
        };
        Answer::Text(answer.to_owned())
    })
    .await;
    let home = Home::shipped();
    let settings = "[classes]\nexpert = \"large\"\n\n[prices.large]\ninput = \"9\"\noutput = \"9\"\n";
    std::fs::write(home.beside("atelier.toml"), settings).expect("the settings");
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &server.url, &["run", "parts", "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    let project = ended.err.split_whitespace().find(|word| word.starts_with('p') && word.len() == 12).expect("an id").trim_end_matches('.');
    let unknown = atelier_beside(&home, &server.url, &["retry", project, "--class", "genius"]).await;
    assert!(unknown.code == Some(2) && unknown.err.contains("has: expert"), "{}", unknown.err);
    let again = home.beside("again").display().to_string();
    let ended = atelier_beside(&home, &server.url, &["retry", project, "--class", "expert", "--yes", "--out", &again]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let large = server.asked().iter().filter(|asked| asked.body["model"] == "large").count();
    assert_eq!(large, 2, "it wrote the task and judged it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_thoughts_that_make_no_sense_are_told_what_does() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let early = app.control.create("local", "parts", None).await.expect("a project");
    let refused = |result: anyhow::Result<atelier_host::store::projects::Project>| result.expect_err("a refusal").to_string();
    let no_plan = refused(app.control.change(&early, "something else", None).await);
    assert!(no_plan.contains("has no plan that could be changed") && no_plan.contains("atelier status"), "{no_plan}");
    let project = begin_approved(&app, "parts").await;
    for (error, words) in [
        (refused(app.control.change(&project, "  ", None).await), "say in 1 to"),
        (refused(app.control.change(&project, "x", Some("R9")).await), "it has R1"),
        (refused(app.control.roll_back(&project, "T9").await), "accepted are, in this order: T1"),
        (refused(app.control.retry(&project, None).await), "nothing of project"),
        (refused(app.control.answer(&project, atelier_host::project::Answer::Enough).await), "has no use for this"),
    ] {
        assert!(error.contains(words), "{error}");
    }
    let now = app.reader.store.project(&project.id).await.expect("the project");
    assert_eq!((now.version, now.state.phase), (project.version, Phase::Delivered));
}
